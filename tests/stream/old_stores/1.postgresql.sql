-- The tables of a store of version 1, as that riverrun made them on postgresql.

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

CREATE TABLE riverrun (
  key VARCHAR(64) NOT NULL,
  value VARCHAR(64) NOT NULL,
  PRIMARY KEY (key)
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

CREATE TABLE versions (
  stream VARCHAR(128) NOT NULL,
  version VARCHAR(64) NOT NULL,
  created_at FLOAT NOT NULL,
  reason TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  libraries JSON NOT NULL,
  PRIMARY KEY (stream, version)
);

INSERT INTO riverrun (key, value) VALUES ('schema', '1');
