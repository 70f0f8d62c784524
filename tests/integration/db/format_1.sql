BEGIN TRANSACTION;
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "model_paths" VALUES(1,0,'/m/a b-00001-of-00002.gguf');
INSERT INTO "model_paths" VALUES(1,1,'/m/a b-00002-of-00002.gguf');
INSERT INTO "model_paths" VALUES(3,0,'/home/u/gglib/models/SmolLM2-135M-Instruct-Q4_1.gguf');
INSERT INTO "model_paths" VALUES(4,0,X'2F6D6F64656C732FFF2E67677566');
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
);
INSERT INTO "models" VALUES(1,'Eight billion, and a '' quote',5000000000,'qwen3',8190735360,'Q4_K_M',40960,36,NULL,NULL,NULL,NULL,NULL,NULL,1,1,0,0,1,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','Qwen/Qwen3-8B-GGUF','abc','a b.gguf','00ff',16384,'["--flash-attn", "on"]',1.5,1700000000);
INSERT INTO "models" VALUES(3,'',98,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,'SmolLM2-135M-Instruct-Q4_1.gguf','5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a',NULL,'[]',NULL,1700000000);
INSERT INTO "models" VALUES(4,'',1,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000);
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
INSERT INTO "names" VALUES('odd','odd',4,0);
INSERT INTO "names" VALUES('qwen','qwen',1,1);
INSERT INTO "names" VALUES('qwen/qwen3-8b:q4_k_m','Qwen/Qwen3-8B:Q4_K_M',1,0);
INSERT INTO "names" VALUES('smollm2','smollm2',3,1);
INSERT INTO "names" VALUES('smollm2-135m-instruct','SmolLM2-135M-Instruct',3,0);
INSERT INTO "names" VALUES('ä','Ä',1,2);
CREATE TABLE tags (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "tags" VALUES(1,0,'work');
INSERT INTO "tags" VALUES(1,1,'big');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('models',4);
COMMIT;
PRAGMA user_version = 1;
