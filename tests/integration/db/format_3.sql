BEGIN TRANSACTION;
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO "edition" VALUES(7401891991889261869);
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, sha256 TEXT, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "model_paths" VALUES(1,0,'/HOME/models/ada/coder-GGUF/coder-Q4-00001-of-00002.gguf','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "model_paths" VALUES(1,1,'/HOME/models/ada/coder-GGUF/coder-Q4-00002-of-00002.gguf','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "model_paths" VALUES(2,0,'/elsewhere/mine.gguf',NULL);
INSERT INTO "model_paths" VALUES(3,0,X'2F484F4D452F6D6F64656C732FFF2E67677566',NULL);
INSERT INTO "model_paths" VALUES(4,0,'/HOME-2/models/x.gguf',NULL);
INSERT INTO "model_paths" VALUES(4,1,'/HOME/../x.gguf',NULL);
INSERT INTO "model_paths" VALUES(5,0,'/LINK/models/a.gguf',NULL);
INSERT INTO "model_paths" VALUES(6,0,'/HOME/models/a.gguf',NULL);
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
, source_origin TEXT, projector, projector_sha256 TEXT, is_downloaded INTEGER NOT NULL DEFAULT 0, can_rerank INTEGER NOT NULL DEFAULT 0, pooling TEXT, kind TEXT);
INSERT INTO "models" VALUES(1,'',7,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,1,0,NULL,'ada/coder-GGUF','abc','Q4/coder-Q4-00001-of-00002.gguf','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',2048,'[]',NULL,1700000000,'hub','/HOME/models/ada/coder-GGUF/mmproj.gguf','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',1,0,NULL,NULL);
INSERT INTO "models" VALUES(2,'',1,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,'/elsewhere/mmproj.gguf',NULL,0,0,NULL,NULL);
INSERT INTO "models" VALUES(3,'',1,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL);
INSERT INTO "models" VALUES(4,'',1,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL);
INSERT INTO "models" VALUES(5,'',1,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL);
INSERT INTO "models" VALUES(6,'',1,'llama',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0,0,NULL,NULL);
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
INSERT INTO "names" VALUES('beside','beside',4,0);
INSERT INTO "names" VALUES('coder','coder',1,1);
INSERT INTO "names" VALUES('coder:q4','coder:Q4',1,0);
INSERT INTO "names" VALUES('linked','linked',5,0);
INSERT INTO "names" VALUES('mine','mine',2,0);
INSERT INTO "names" VALUES('odd','odd',3,0);
INSERT INTO "names" VALUES('real','real',6,0);
CREATE TABLE tags (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
CREATE TABLE uses (
    model_id INTEGER PRIMARY KEY REFERENCES models ON DELETE CASCADE,
    used_at INTEGER NOT NULL -- Unix time in seconds
);
INSERT INTO "uses" VALUES(1,1700000060);
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
PRAGMA user_version = 3;
