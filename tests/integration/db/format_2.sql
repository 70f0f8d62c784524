-- Written by the gglib that knew format 2.
BEGIN TRANSACTION;
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO "edition" VALUES(1);
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, sha256 TEXT, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "model_paths" VALUES(1,0,'/m/chat.gguf','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "model_paths" VALUES(2,0,'/m/bert.gguf',NULL);
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
INSERT INTO "models" VALUES(1,'',5,'llama',NULL,NULL,4096,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,0,1,0,'f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171','a/b','c','chat.gguf','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',2048,'["--threads", "1"]',60.0,1700000000,'hub','/m/mmproj.gguf',NULL,1);
INSERT INTO "models" VALUES(2,'',5,'bert',NULL,NULL,512,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,1,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1700000000,NULL,NULL,NULL,0);
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
INSERT INTO "names" VALUES('c','c',1,1);
INSERT INTO "names" VALUES('chat','chat',1,0);
INSERT INTO "names" VALUES('embedder','embedder',2,0);
CREATE TABLE tags (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "tags" VALUES(1,0,'t');
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
INSERT INTO "sqlite_sequence" VALUES('models',2);
COMMIT;
PRAGMA user_version = 2;
