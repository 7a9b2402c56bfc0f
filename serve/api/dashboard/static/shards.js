// The shards of a divided stream: who works on each, and how far it is. Nothing of any other stream.

import { h, put } from "./dom.js";
import { many, number, span, whole } from "./format.js";
import { panel } from "./panel.js";

const OLD_SECONDS = 120;

/** Return a place where the panel of shards stands once the source says that there are some. */
export function shardsPanel(source) {
  const place = h("div", {});
  source.listen(({ data }) => {
    if (data?.status.status?.shards && !place.childElementCount) put(place, made(source));
  });
  return place;
}

function made(source) {
  return panel({
    title: "Shards",
    sub: (data) => `${many(rowsOf(data).length, "shard")} by ${many(workers(data), "worker")}`,
    source,
    height: 200,
    isTable: true,
    file: "shards",
    rows: (data) => ({ caption: "Shards", columns: columns(data), rows: rowsOf(data) }),
    options: { page: 16, rowClass: (row) => (isStill(row) ? "bad" : null) },
    render: () => {},
    foot: () => "A row is marked where records wait and its checkpoint is older than two minutes: nobody works on that shard.",
  });
}

const COLUMNS = [
  { key: "shard", label: "Shard", sort: false },
  { key: "owner", label: "Worker", long: true },
  { key: "epoch", label: "Epoch", num: true },
  { key: "age", label: "Checkpoint's age", num: true, show: (row) => (row.age === null ? "none yet" : span(row.age)) },
  { key: "behind", label: "Behind", num: true, show: (row) => (row.behind === null ? "–" : whole(row.behind)) },
  { key: "events", label: "Events", num: true },
  { key: "learned", label: "Learned", num: true },
  { key: "pending", label: "Waiting for a label", num: true },
];

function columns(data) {
  const of = metricOf(data);
  return of ? [...COLUMNS, { key: "score", label: of, num: true, show: (row) => number(row.score) }] : COLUMNS;
}

const shardsOf = (data) => data.status.status.shards;
const workers = (data) => new Set(shardsOf(data).map((one) => one.owner)).size;
const metricOf = (data) => shardsOf(data).flatMap((one) => Object.keys(one.scores?.model ?? {}))[0];
const isStill = (row) => row.behind > 0 && row.age > OLD_SECONDS;

function rowsOf(data) {
  const of = metricOf(data);
  return shardsOf(data).map((one) => ({
    shard: one.shard,
    owner: one.owner,
    epoch: one.epoch,
    age: one.checkpoint_age_seconds ?? null,
    behind: behind(data.system.partitions, one.partition),
    events: one.counts?.events ?? null,
    learned: one.counts?.learned ?? null,
    pending: one.counts?.pending ?? null,
    score: one.scores?.model?.[of] ?? null,
  }));
}

function behind(partitions, wanted) {
  const mine = partitions?.filter((one) => one.partition.endsWith(`-${wanted}`));
  return mine?.length ? mine.reduce((sum, one) => sum + one.lag, 0) : null;
}
