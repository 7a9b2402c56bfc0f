-- The tables of a store of version 4, as that riverrun made them on postgresql.

CREATE TABLE audit (
  id SERIAL NOT NULL,
  stream VARCHAR(128) NOT NULL,
  at FLOAT NOT NULL,
  action VARCHAR(32) NOT NULL,
  by TEXT NOT NULL,
  via VARCHAR(16) NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail JSON NOT NULL,
  request INTEGER,
  PRIMARY KEY (id)
);

CREATE INDEX ix_audit_stream ON audit (stream);

CREATE TABLE checkpoint_chunks (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  kind VARCHAR(64) NOT NULL,
  number BIGINT NOT NULL,
  seal VARCHAR(200) NOT NULL,
  dropped_at BIGINT,
  data BYTEA NOT NULL,
  PRIMARY KEY (stream, shard, kind, number)
);

CREATE TABLE checkpoint_parts (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  part VARCHAR(64) NOT NULL,
  seal VARCHAR(200) NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (stream, shard, number, part)
);

CREATE TABLE checkpoints (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  created_at FLOAT NOT NULL,
  offsets JSON NOT NULL,
  version VARCHAR(64) NOT NULL,
  status JSON NOT NULL,
  fingerprint TEXT NOT NULL,
  format INTEGER NOT NULL,
  libraries JSON NOT NULL,
  PRIMARY KEY (stream, shard, number)
);

CREATE TABLE happenings (
  id SERIAL NOT NULL,
  stream VARCHAR(128) NOT NULL,
  at FLOAT NOT NULL,
  kind VARCHAR(64) NOT NULL,
  detail JSON NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX ix_happenings_stream ON happenings (stream);

CREATE TABLE imports (
  stream VARCHAR(128) NOT NULL,
  request INTEGER NOT NULL,
  at FLOAT NOT NULL,
  seal VARCHAR(200) NOT NULL,
  data BYTEA NOT NULL,
  reference BYTEA,
  PRIMARY KEY (stream, request)
);

CREATE TABLE label_conflicts (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  position INTEGER NOT NULL,
  event TEXT NOT NULL,
  detail JSON NOT NULL,
  PRIMARY KEY (stream, shard, number, position)
);

CREATE TABLE models (
  stream VARCHAR(128) NOT NULL,
  version VARCHAR(64) NOT NULL,
  number BIGINT NOT NULL,
  moment VARCHAR(16) NOT NULL,
  at FLOAT NOT NULL,
  seal VARCHAR(200) NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (stream, version, number, moment)
);

CREATE TABLE outbox (
  id SERIAL NOT NULL,
  stream VARCHAR(128) NOT NULL,
  receiver VARCHAR(32) NOT NULL,
  key TEXT NOT NULL,
  at FLOAT NOT NULL,
  data JSON NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX ix_outbox_stream ON outbox (stream);

CREATE TABLE panes (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  pane BIGINT NOT NULL,
  version VARCHAR(64) NOT NULL,
  layout VARCHAR(64) NOT NULL,
  first FLOAT NOT NULL,
  last FLOAT NOT NULL,
  events BIGINT NOT NULL,
  errors BIGINT NOT NULL,
  offsets JSON NOT NULL,
  summary JSON NOT NULL,
  data BYTEA NOT NULL,
  scores BYTEA NOT NULL,
  data_seal VARCHAR(200),
  scores_seal VARCHAR(200),
  PRIMARY KEY (stream, shard, number, pane)
);

CREATE TABLE precomputed (
  stream VARCHAR(128) NOT NULL,
  id VARCHAR(512) NOT NULL,
  number BIGINT NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (stream, id)
);

CREATE INDEX precomputed_by_number ON precomputed (stream, number);

CREATE TABLE predictions (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  at FLOAT NOT NULL,
  last BIGINT NOT NULL,
  count INTEGER NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (stream, shard, number)
);

CREATE TABLE receivers (
  stream VARCHAR(128) NOT NULL,
  receiver VARCHAR(32) NOT NULL,
  happening BIGINT NOT NULL,
  number BIGINT NOT NULL,
  position INTEGER NOT NULL,
  state JSON NOT NULL,
  sent BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  dropped BIGINT NOT NULL,
  sent_at FLOAT,
  last_error TEXT,
  PRIMARY KEY (stream, receiver)
);

CREATE TABLE "references" (
  stream VARCHAR(128) NOT NULL,
  version VARCHAR(64) NOT NULL,
  number BIGINT NOT NULL,
  created_at FLOAT NOT NULL,
  seal VARCHAR(200) NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (stream, version)
);

CREATE TABLE requests (
  id SERIAL NOT NULL,
  stream VARCHAR(128) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  detail JSON NOT NULL,
  by TEXT NOT NULL,
  at FLOAT NOT NULL,
  handled_at FLOAT,
  outcome TEXT,
  PRIMARY KEY (id)
);

CREATE INDEX ix_requests_stream ON requests (stream);

CREATE TABLE riverrun (
  key VARCHAR(64) NOT NULL,
  value VARCHAR(64) NOT NULL,
  PRIMARY KEY (key)
);

CREATE TABLE run_changes (
  stream VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  position INTEGER NOT NULL,
  run BIGINT NOT NULL,
  version VARCHAR(64) NOT NULL,
  state VARCHAR(64) NOT NULL,
  time BIGINT NOT NULL,
  at FLOAT NOT NULL,
  sentence TEXT NOT NULL,
  detail JSON NOT NULL,
  PRIMARY KEY (stream, number, position)
);

CREATE TABLE shards (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  epoch BIGINT NOT NULL,
  last_number BIGINT NOT NULL,
  owner TEXT NOT NULL,
  acquired_at FLOAT NOT NULL,
  PRIMARY KEY (stream, shard)
);

CREATE TABLE sightings (
  stream VARCHAR(128) NOT NULL,
  shard VARCHAR(128) NOT NULL,
  number BIGINT NOT NULL,
  at FLOAT NOT NULL,
  data JSON NOT NULL,
  PRIMARY KEY (stream, shard, number)
);

CREATE TABLE trainings (
  stream VARCHAR(128) NOT NULL,
  run BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  state VARCHAR(16) NOT NULL,
  at FLOAT NOT NULL,
  progress JSON NOT NULL,
  seal VARCHAR(200),
  data BYTEA,
  PRIMARY KEY (stream, run)
);

CREATE TABLE versions (
  stream VARCHAR(128) NOT NULL,
  version VARCHAR(64) NOT NULL,
  created_at FLOAT NOT NULL,
  reason TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  libraries JSON NOT NULL,
  PRIMARY KEY (stream, version)
);

CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL PRIMARY KEY
);

INSERT INTO alembic_version (version_num) VALUES ('0004');

INSERT INTO riverrun (key, value) VALUES ('schema', '4');
