BEGIN TRANSACTION;
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO "edition" VALUES(3998356489079133519);
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, sha256 TEXT, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "model_paths" VALUES(2,0,'/HOME/models/ada/Coder1-GGUF/coder1-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000001');
INSERT INTO "model_paths" VALUES(2,1,'/HOME/models/ada/Coder1-GGUF/coder1-Q4_K_M-00002-of-00002.gguf',NULL);
INSERT INTO "model_paths" VALUES(3,0,'/HOME/models/ada/Coder2-GGUF/coder2-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000002');
INSERT INTO "model_paths" VALUES(3,1,'/HOME/models/ada/Coder2-GGUF/coder2-Q4_K_M-00002-of-00002.gguf',NULL);
INSERT INTO "model_paths" VALUES(4,0,'/elsewhere/my model.gguf',NULL);
INSERT INTO "model_paths" VALUES(5,0,X'2F656C736577686572652FFF2E67677566',NULL);
INSERT INTO "model_paths" VALUES(6,0,'/HOME/models/starter.gguf',NULL);
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
, source_origin TEXT, projector, projector_sha256 TEXT, is_downloaded INTEGER NOT NULL DEFAULT 0);
INSERT INTO "models" VALUES(2,'Coder 1: "double" and ''single'' quotes, ünïcode',5027783489,'qwen3',8190735360,'Q4_K_M',40960,36,4096,32,8,128,64,151936,1,1,1,1,1,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','ada/Coder1-GGUF','0000000000000000000000000000000000000001','coder1-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000001',4096,'["--threads", "1"]',1.5,1700000000,'hub','/HOME/models/ada/Coder1-GGUF/mmproj.gguf','0000000000000000000000000000000000000000000000000000000000000002',1);
INSERT INTO "models" VALUES(3,'Coder 2: "double" and ''single'' quotes, ünïcode',5027783490,'qwen3',8190735360,'Q4_K_M',40960,36,4096,32,8,128,64,151936,1,1,1,1,1,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','ada/Coder2-GGUF','0000000000000000000000000000000000000002','coder2-Q4_K_M-00001-of-00002.gguf','0000000000000000000000000000000000000000000000000000000000000002',8192,'["--threads", "2"]',3.0,1700000000,'hub','/HOME/models/ada/Coder2-GGUF/mmproj.gguf','0000000000000000000000000000000000000000000000000000000000000003',1);
INSERT INTO "models" VALUES(4,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0);
INSERT INTO "models" VALUES(5,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0);
INSERT INTO "models" VALUES(6,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,'starter.gguf','5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a',NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0);
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
INSERT INTO "names" VALUES('ada/coder1:q4_k_m','ada/Coder1:Q4_K_M',2,0);
INSERT INTO "names" VALUES('ada/coder2:q4_k_m','ada/Coder2:Q4_K_M',3,0);
INSERT INTO "names" VALUES('coder1','coder1',2,1);
INSERT INTO "names" VALUES('coder2','coder2',3,1);
INSERT INTO "names" VALUES('mine','mine',4,0);
INSERT INTO "names" VALUES('odd','odd',5,0);
INSERT INTO "names" VALUES('starter','starter',6,0);
INSERT INTO "names" VALUES('ä1','Ä1',2,2);
INSERT INTO "names" VALUES('ä2','Ä2',3,2);
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
CREATE TABLE uses (
    model_id INTEGER PRIMARY KEY REFERENCES models ON DELETE CASCADE,
    used_at INTEGER NOT NULL -- Unix time in seconds
);
INSERT INTO "uses" VALUES(2,1700000060);
INSERT INTO "uses" VALUES(4,1700000120);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('models',6);
COMMIT;
PRAGMA user_version = 2;
