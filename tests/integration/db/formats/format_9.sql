BEGIN TRANSACTION;
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO "edition" VALUES(5346990269936677788);
CREATE TABLE home (
    id TEXT NOT NULL,
    device TEXT NOT NULL,
    inode TEXT NOT NULL,
    models_device TEXT NOT NULL,
    models_inode TEXT NOT NULL
);
INSERT INTO "home" VALUES('0123abcd','18446744073709551615','5','9223372036854775808','6');
CREATE TABLE memory_peaks (
    key TEXT PRIMARY KEY, -- a hash of the content and the launch options
    size TEXT NOT NULL, -- a JSON object: bytes by device
    updated_at INTEGER NOT NULL -- Unix time in seconds
) WITHOUT ROWID;
INSERT INTO "memory_peaks" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"ram": 5000000000, "gpu0": 1099511627776}',1700000000);
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, sha256 TEXT, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "model_paths" VALUES(2,0,'models/ada/Coder1-GGUF/coder1-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000001');
INSERT INTO "model_paths" VALUES(2,1,'models/ada/Coder1-GGUF/coder1-Q4_K_M-00002-of-00002.gguf',NULL);
INSERT INTO "model_paths" VALUES(3,0,'models/ada/Coder2-GGUF/coder2-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000002');
INSERT INTO "model_paths" VALUES(3,1,'models/ada/Coder2-GGUF/coder2-Q4_K_M-00002-of-00002.gguf',NULL);
INSERT INTO "model_paths" VALUES(4,0,'/elsewhere/my model.gguf',NULL);
INSERT INTO "model_paths" VALUES(5,0,X'2F656C736577686572652FFF2E67677566',NULL);
INSERT INTO "model_paths" VALUES(6,0,'models/starter.gguf',NULL);
INSERT INTO "model_paths" VALUES(9,0,'models/ada/Coder3-GGUF/Q4-1/coder3-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000003');
INSERT INTO "model_paths" VALUES(9,1,'models/ada/Coder3-GGUF/Q4-1/coder3-Q4_K_M-00002-of-00002.gguf',NULL);
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    description TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    parameter_count INTEGER,
    quantization TEXT,
    trained_context INTEGER,
    block_count INTEGER,
    embedding_length INTEGER,
    head_count INTEGER,
    head_count_kv INTEGER,
    key_length INTEGER,
    value_length INTEGER,
    vocabulary_size INTEGER,
    can_chat INTEGER NOT NULL,
    can_use_tools INTEGER NOT NULL,
    can_reason INTEGER NOT NULL,
    can_see INTEGER NOT NULL,
    can_embed INTEGER NOT NULL,
    chat_template_sha256 TEXT,
    source_repo TEXT,
    source_revision TEXT,
    source_file TEXT,
    source_sha256 TEXT,
    context INTEGER,
    engine_args TEXT NOT NULL, -- a JSON array of strings
    idle_ttl_s REAL,
    added_at INTEGER NOT NULL -- Unix time in seconds
, source_origin TEXT, projector, projector_sha256 TEXT, is_downloaded INTEGER NOT NULL DEFAULT 0, can_rerank INTEGER NOT NULL DEFAULT 0, pooling TEXT, kind TEXT, version_id INTEGER REFERENCES versions ON DELETE SET NULL, source_asked_revision TEXT, source_url TEXT, is_pinned INTEGER NOT NULL DEFAULT 0, priority TEXT, backend TEXT, environment TEXT NOT NULL DEFAULT '{}', extra_args TEXT NOT NULL DEFAULT '[]');
INSERT INTO "models" VALUES(2,'Coder 1: "double" and ''single'' quotes, ünïcode',5027783489,'qwen3',8190735360,'Q4_K_M',40960,36,4096,32,8,128,64,151936,1,1,1,1,1,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','ada/Coder1-GGUF','0000000000000000000000000000000000000001','coder1-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000001',4096,'["--threads", "1"]',1.5,1700000000,'hub','models/ada/Coder1-GGUF/mmproj.gguf','0000000000000000000000000000000000000000000000000000000000000002',1,1,'last','embedding',NULL,'v1.0','https://models.example/coder1.gguf?key=1',1,'batch',NULL,'{"CUDA_VISIBLE_DEVICES": "1", "EMPTY": ""}','["--unchecked", "a b"]');
INSERT INTO "models" VALUES(3,'Coder 2: "double" and ''single'' quotes, ünïcode',5027783490,'qwen3',8190735360,'Q4_K_M',40960,36,4096,32,8,128,64,151936,1,1,1,1,1,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','ada/Coder2-GGUF','0000000000000000000000000000000000000002','coder2-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000002',8192,'["--threads", "2"]',3.0,1700000000,'hub','models/ada/Coder2-GGUF/mmproj.gguf','0000000000000000000000000000000000000000000000000000000000000003',1,1,'last','rerank',NULL,'v1.0','https://models.example/coder2.gguf?key=1',1,'interactive',NULL,'{"CUDA_VISIBLE_DEVICES": "2", "EMPTY": ""}','["--unchecked", "a b"]');
INSERT INTO "models" VALUES(4,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'{}','[]');
INSERT INTO "models" VALUES(5,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'{}','[]');
INSERT INTO "models" VALUES(6,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,'starter.gguf','5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a',NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'{}','[]');
INSERT INTO "models" VALUES(7,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,'{"kind": "command", "argv": ["serve-model", "--port", "{port}", "a b"], "health_path": "/ready", "routes": ["/v1/images/*"], "stop_signal": "INT", "memory": [["ram", 5], ["gpu0", 1099511627776]], "directory": "/elsewhere", "start_timeout_s": 1.5, "slots": 2, "model": "inner"}','{}','[]');
INSERT INTO "models" VALUES(8,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,'{"kind": "url", "base_url": "http://models.example:8000/v1", "key_env": "MODELS_KEY", "model": "inner", "routes": ["/v1/images/*"], "ca_file": "/elsewhere/ca.pem"}','{}','[]');
INSERT INTO "models" VALUES(9,'Coder 3: "double" and ''single'' quotes, ünïcode',5027783491,'qwen3',8190735360,'Q4_K_M',40960,36,4096,32,8,128,64,151936,1,1,1,1,1,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','ada/Coder3-GGUF','0000000000000000000000000000000000000003','coder3-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000003',12288,'["--threads", "3"]',4.5,1700000000,'hub','models/ada/Coder3-GGUF/Q4-1/mmproj.gguf','0000000000000000000000000000000000000000000000000000000000000004',0,1,'last','chat',1,'v1.0','https://models.example/coder3.gguf?key=1',1,'batch',NULL,'{"CUDA_VISIBLE_DEVICES": "3", "EMPTY": ""}','["--unchecked", "a b"]');
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
INSERT INTO "names" VALUES('ada/coder1:q4_k_m','ada/Coder1:Q4_K_M',2,0);
INSERT INTO "names" VALUES('ada/coder2:q4_k_m','ada/Coder2:Q4_K_M',3,0);
INSERT INTO "names" VALUES('ada/coder3:q4_k_m','ada/Coder3:Q4_K_M',9,0);
INSERT INTO "names" VALUES('coder1','coder1',2,1);
INSERT INTO "names" VALUES('coder2','coder2',3,1);
INSERT INTO "names" VALUES('coder3','coder3',9,1);
INSERT INTO "names" VALUES('command','command',7,0);
INSERT INTO "names" VALUES('mine','mine',4,0);
INSERT INTO "names" VALUES('odd','odd',5,0);
INSERT INTO "names" VALUES('remote','remote',8,0);
INSERT INTO "names" VALUES('starter','starter',6,0);
INSERT INTO "names" VALUES('ä1','Ä1',2,2);
INSERT INTO "names" VALUES('ä2','Ä2',3,2);
INSERT INTO "names" VALUES('ä3','Ä3',9,2);
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL, -- the case-folded name
    model_id INTEGER REFERENCES models ON DELETE CASCADE,
    description TEXT NOT NULL,
    system TEXT,
    defaults TEXT NOT NULL, -- a JSON object
    template_kwargs TEXT NOT NULL, -- a JSON object
    strip TEXT NOT NULL -- a JSON array of strings
);
INSERT INTO "profiles" VALUES(1,'Precise','precise',2,'few surprises','You are brief.','{"temperature": 0.1, "stop": ["a", "b"]}','{"enable_thinking": false}','["seed", "top_k"]');
INSERT INTO "profiles" VALUES(2,'Precise','precise',NULL,'few surprises','You are brief.','{"temperature": 0.1, "stop": ["a", "b"]}','{"enable_thinking": false}','["seed", "top_k"]');
CREATE TABLE pulls (
    key TEXT PRIMARY KEY,
    job TEXT NOT NULL -- a JSON object, as of ``PullJob``
) WITHOUT ROWID;
INSERT INTO "pulls" VALUES('job','{"key": "job", "asked": "ada/Coder4-GGUF:Q4", "name": "coder4", "aliases": ["c4", "\u00c44"], "source": {"origin": "hub", "repo": "ada/Coder4-GGUF", "revision": "0000000000000000000000000000000000000004", "asked_revision": "v1.0", "url": "https://models.example/coder4.gguf?key=1", "file": "coder4-Q4_K_M-00001-of-00002.gguf", "sha256": "0000000000000000000000000000000000000000000000000000000000000004"}, "files": [{"name": "a.gguf", "role": "model", "key": "s-1", "size_bytes": 5, "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "validator": "\"v1\""}], "updates": 2, "is_fetched": true, "directory": "models/ada/Coder4-GGUF", "started_at": 1700000000}');
CREATE TABLE state (stamp TEXT NOT NULL, touched TEXT NOT NULL);
INSERT INTO "state" VALUES('gglib-commit 0EA49F308266721C F9057D3D15285E23','4522104E938BFCA4');
CREATE TABLE tags (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "tags" VALUES(2,0,'work');
INSERT INTO "tags" VALUES(2,1,'big');
INSERT INTO "tags" VALUES(3,0,'work');
INSERT INTO "tags" VALUES(3,1,'big');
INSERT INTO "tags" VALUES(9,0,'work');
INSERT INTO "tags" VALUES(9,1,'big');
CREATE TABLE uses (
    model_id INTEGER PRIMARY KEY REFERENCES models ON DELETE CASCADE,
    used_at INTEGER NOT NULL -- Unix time in seconds
);
INSERT INTO "uses" VALUES(2,1700000060);
INSERT INTO "uses" VALUES(4,1700000120);
CREATE TABLE version_files (
    version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL, -- TEXT, or a BLOB where the path is not valid Unicode
    role TEXT NOT NULL, -- model or projector
    name NOT NULL, -- TEXT or BLOB, as of paths
    device TEXT, -- NULL, as the inode: not known any more
    inode TEXT,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER,
    sha256 TEXT,
    validator TEXT,
    PRIMARY KEY (version_id, position)
) WITHOUT ROWID;
INSERT INTO "version_files" VALUES(1,0,'models/ada/Coder3-GGUF/Q4-1/coder3-Q4_K_M-00001-of-00002.gguf','model','coder3-Q4_K_M-00001-of-00002.gguf','18446744073709551615','9223372036854775808',7,1700000000000000001,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','"v1"');
INSERT INTO "version_files" VALUES(1,1,'models/ada/Coder3-GGUF/Q4-1/coder3-Q4_K_M-00002-of-00002.gguf','model','coder3-Q4_K_M-00002-of-00002.gguf','18446744073709551615','9223372036854775808',7,1700000000000000001,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','"v1"');
INSERT INTO "version_files" VALUES(1,2,'models/ada/Coder3-GGUF/Q4-1/mmproj.gguf','projector','mmproj.gguf','18446744073709551615','9223372036854775808',7,1700000000000000001,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','"v1"');
INSERT INTO "version_files" VALUES(2,0,'models/ada/Coder3-GGUF/Q4-2/a.gguf','model','a.gguf','18446744073709551615','9223372036854775808',7,1700000000000000001,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','"v1"');
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    directory, -- TEXT or BLOB, as of paths; NULL: the files lie among others
    source TEXT NOT NULL, -- a JSON object, as of ``ModelSource``
    created_at INTEGER NOT NULL, -- Unix time in seconds
    is_retired INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "versions" VALUES(1,'models/ada/Coder3-GGUF/Q4-1','{"origin": "hub", "repo": "ada/Coder3-GGUF", "revision": "0000000000000000000000000000000000000003", "asked_revision": "v1.0", "url": "https://models.example/coder3.gguf?key=1", "file": "coder3-Q4_K_M-00001-of-00002.gguf", "sha256": "0000000000000000000000000000000000000000000000000000000000000003"}',1700000000,0);
INSERT INTO "versions" VALUES(2,'models/ada/Coder3-GGUF/Q4-2','{"origin": "hub", "repo": "ada/Coder4-GGUF", "revision": "0000000000000000000000000000000000000004", "asked_revision": "v1.0", "url": "https://models.example/coder4.gguf?key=1", "file": "coder4-Q4_K_M-00001-of-00002.gguf", "sha256": "0000000000000000000000000000000000000000000000000000000000000004"}',1700000000,1);
CREATE TRIGGER models_insert AFTER insert ON models BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER models_update AFTER update ON models BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER models_delete AFTER delete ON models BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER names_insert AFTER insert ON names BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER names_update AFTER update ON names BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER names_delete AFTER delete ON names BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER model_paths_insert AFTER insert ON model_paths BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER model_paths_update AFTER update ON model_paths BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER model_paths_delete AFTER delete ON model_paths BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER tags_insert AFTER insert ON tags BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER tags_update AFTER update ON tags BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER tags_delete AFTER delete ON tags BEGIN UPDATE edition SET number = random(); END;
CREATE INDEX version_files_path ON version_files (path);
CREATE INDEX models_version ON models (version_id);
CREATE TRIGGER versions_insert AFTER insert ON versions BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER versions_update AFTER update ON versions BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER versions_delete AFTER delete ON versions BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER version_files_insert AFTER insert ON version_files BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER version_files_update AFTER update ON version_files BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER version_files_delete AFTER delete ON version_files BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER edition_update AFTER UPDATE ON edition BEGIN UPDATE state SET touched = hex(randomblob(8)); END;
CREATE UNIQUE INDEX profiles_name ON profiles (folded, ifnull(model_id, 0));
CREATE INDEX profiles_model ON profiles (model_id);
CREATE TRIGGER profiles_insert AFTER insert ON profiles BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER profiles_update AFTER update ON profiles BEGIN UPDATE edition SET number = random(); END;
CREATE TRIGGER profiles_delete AFTER delete ON profiles BEGIN UPDATE edition SET number = random(); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('models',9);
INSERT INTO "sqlite_sequence" VALUES('versions',2);
COMMIT;
PRAGMA user_version = 9;
