PRAGMA application_id = 0;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO "edition" VALUES(8473119368947536634);
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, sha256 TEXT, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
INSERT INTO "model_paths" VALUES(1,0,'{HOME}/models/ada/eyes-GGUF/eyes-Q4_K_M.gguf','131226ab233832e70b5293fb29ae561f3a1809deae84227bf29d071aa6d02732');
INSERT INTO "model_paths" VALUES(2,0,'{HOME}/models/ada/eyes-GGUF/eyes-Q8_0.gguf','a45c379f7a98335dd073e283892c8ef91f3eec6831fadf4301cec9193a3a98d2');
INSERT INTO "model_paths" VALUES(4,0,'{HOME}/mine.gguf',NULL);
INSERT INTO "model_paths" VALUES(5,0,'{HOME}/models/ada/one-GGUF/one-Q4_K_M.gguf','e0a23fb9c722901f6df5108d81f814da20df4c7b54b8a65dd21004ef97c550ae');
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
INSERT INTO "models" VALUES(1,'',3000,'llama',710,'F32',4096,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,1,0,NULL,'ada/eyes-GGUF','0f98b1f7eda33a4e9cfaab09506aa8094044085f','eyes-Q4_K_M.gguf','131226ab233832e70b5293fb29ae561f3a1809deae84227bf29d071aa6d02732',2048,'[]',NULL,1795870278,'hub','{HOME}/models/ada/eyes-GGUF/mmproj-F16.gguf','3e751a7c239ea0f19d5e800c1da1872bdfffeaab9695cfb9abb50f162c9c2159',1,0,NULL,NULL);
INSERT INTO "models" VALUES(2,'',3000,'llama',710,'F32',4096,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,1,0,NULL,'ada/eyes-GGUF','0f98b1f7eda33a4e9cfaab09506aa8094044085f','eyes-Q8_0.gguf','a45c379f7a98335dd073e283892c8ef91f3eec6831fadf4301cec9193a3a98d2',NULL,'[]',NULL,1795870278,'hub','{HOME}/models/ada/eyes-GGUF/mmproj-F16.gguf','3e751a7c239ea0f19d5e800c1da1872bdfffeaab9695cfb9abb50f162c9c2159',1,0,NULL,NULL);
INSERT INTO "models" VALUES(4,'',3000,'llama',710,'F32',4096,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,1795870278,NULL,NULL,NULL,0,0,NULL,NULL);
INSERT INTO "models" VALUES(5,'',3000,'llama',710,'F32',4096,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,0,NULL,'ada/one-GGUF','3633d884b9fa73308fd30ad256312f4a802f86e9','one-Q4_K_M.gguf','e0a23fb9c722901f6df5108d81f814da20df4c7b54b8a65dd21004ef97c550ae',NULL,'[]',NULL,1795870278,'hub',NULL,NULL,1,0,NULL,NULL);
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
INSERT INTO "names" VALUES('ada/eyes-gguf:q4_k_m','ada/eyes-GGUF:Q4_K_M',1,2);
INSERT INTO "names" VALUES('ada/eyes-gguf:q8_0','ada/eyes-GGUF:Q8_0',2,1);
INSERT INTO "names" VALUES('ada/one-gguf:q4_k_m','ada/one-GGUF:Q4_K_M',5,1);
INSERT INTO "names" VALUES('eyes','eyes',1,1);
INSERT INTO "names" VALUES('eyes-q4_k_m','eyes-Q4_K_M',1,0);
INSERT INTO "names" VALUES('eyes-q8_0','eyes-Q8_0',2,0);
INSERT INTO "names" VALUES('mine','mine',4,0);
INSERT INTO "names" VALUES('one-q4_k_m','one-Q4_K_M',5,0);
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
INSERT INTO "sqlite_sequence" VALUES('models',5);
COMMIT;
