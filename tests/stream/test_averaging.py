"""Averages: what shards have learned adds up to what one model over all events would have."""

from __future__ import annotations

import random
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, dummy, feature_selection, linear_model, naive_bayes, optim, stats, tree
from river import preprocessing as pp

from serve.compose import Secrets
from serve.crew import opened_crew
from stream.build import line_factory
from stream.clock import SystemClock
from stream.digest import state_digest
from stream.errors import ConfigError
from stream.learner import Learner
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.sharding.averaging.average import (
    KIND,
    Average,
    adopt,
    averaged,
    decode,
    encode,
    own,
)
from stream.sharding.averaging.merger import Merger
from stream.sharding.averaging.model import read_model, refusals
from stream.sharding.averaging.part import Moments, Parts
from stream.storage.store import Store
from stream.tracing import Untraced
from tests.faults.oracle import Replay, read_all, script_of
from tests.lines import as_bytes, event, make_config, truth

SHARDS = 4


class Cluster:
    """Shards that learn, and adopt averages whenever a test says so."""

    def __init__(self, make, task: str = "binary", count: int = SHARDS) -> None:
        self.learners = [Learner(make(), task) for _ in range(count)]
        self.alone = Learner(make(), task)
        self.learned = [0] * count
        self.others: list[Parts | None] = [None] * count
        self.average = Average()

    def learn(self, shard: int, x, y) -> None:
        self.learners[shard].learn(x, y)
        self.alone.learn(x, y)
        self.learned[shard] += 1

    def publish(self, *shards: int) -> None:
        """Average, with what these shards have committed by now; all where none is named."""
        found = {
            f"{i}": own(self.learners[i], self.learned[i], self.others[i])
            for i in shards or range(len(self.learners))
        }
        following = averaged(self.average, found)
        if following is not None:
            self.average = decode(encode(following))

    def adopt(self, *shards: int) -> None:
        for i in shards or range(len(self.learners)):
            self.others[i] = adopt(self.learners[i], self.average, f"{i}", self.others[i])

    def run(self, rows, every: int, seed: int = 1) -> None:
        """Learn rows on shards by chance; average and adopt by chance, at last all."""
        rng = random.Random(seed)
        for number, (x, y) in enumerate(rows, start=1):
            self.learn(rng.randrange(len(self.learners)), x, y)
            if number % every == 0:
                some = [i for i in range(len(self.learners)) if rng.random() < 0.7]
                self.publish(*some)
                self.adopt(*[i for i in range(len(self.learners)) if rng.random() < 0.6])
        self.publish()
        self.adopt()


def rows(count: int, seed: int = 3, offset: float = 0.0):
    rng = random.Random(seed)
    for _ in range(count):
        x = {"a": rng.gauss(5 + offset, 2), "b": rng.expovariate(1), "c": rng.randrange(5)}
        if rng.random() < 0.2:
            del x["b"]
        yield x, x["a"] + rng.gauss(0, 1) > 5 + offset


def close(one: Parts, other: Parts, rel: float = 1e-9) -> None:
    assert one.by_place.keys() == other.by_place.keys()
    for place, part in one.by_place.items():
        wanted = other.by_place[place]
        assert part.moments.keys() == wanted.moments.keys()
        for key, found in part.moments.items():
            assert found.n == wanted.moments[key].n
            assert found.mean == pytest.approx(wanted.moments[key].mean, rel=rel)
            assert found.m2 == pytest.approx(wanted.moments[key].m2, rel=rel, abs=1e-9)
        assert part.sums == pytest.approx(wanted.sums)
        assert part.lows == wanted.lows
        assert part.highs == wanted.highs
        assert part.members.keys() == wanted.members.keys()


@pytest.mark.parametrize("every", [1, 7, 100, 10_000])
def test_the_scaler_of_four_shards_is_that_of_all_events_whatever_was_adopted_when(every):
    cluster = Cluster(pp.StandardScaler)
    for learner in [*cluster.learners, cluster.alone]:
        learner.learn = lambda x, _, learner=learner: learner.model.learn_one(x)
    cluster.run(rows(1_000), every)
    alone = cluster.alone.model
    for learner in cluster.learners:
        scaler = learner.model
        assert scaler.counts == alone.counts
        assert dict(scaler.means) == pytest.approx(dict(alone.means), rel=1e-11)
        assert dict(scaler.vars) == pytest.approx(dict(alone.vars), rel=1e-11)


def test_a_mean_far_from_zero_costs_no_more_than_the_digits_it_takes():
    cluster = Cluster(pp.StandardScaler)
    for learner in [*cluster.learners, cluster.alone]:
        learner.learn = lambda x, _, learner=learner: learner.model.learn_one(x)
    cluster.run(rows(2_000, offset=1e6), 10)
    for learner in cluster.learners:
        assert dict(learner.model.vars) == pytest.approx(dict(cluster.alone.model.vars), rel=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        naive_bayes.GaussianNB,
        lambda: compose.Select("c") | naive_bayes.MultinomialNB(),
        lambda: compose.Select("c") | naive_bayes.BernoulliNB(),
        lambda: compose.Select("c") | naive_bayes.ComplementNB(),
        dummy.PriorClassifier,
        lambda: pp.StatImputer(("a", stats.Max()), ("c", stats.Count())) | naive_bayes.GaussianNB(),
    ],
)
def test_counts_and_moments_add_up_to_those_of_one_model(make):
    cluster = Cluster(make)
    cluster.run(rows(400), 9)
    for learner in cluster.learners:
        close(read_model(learner), read_model(cluster.alone), 1e-8)
    x, _ = next(rows(1, seed=99))
    said = [one.predict(x) for one in cluster.learners]
    assert said == pytest.approx([cluster.alone.predict(x)] * SHARDS)


@pytest.mark.parametrize(
    "make",
    [
        pp.MinMaxScaler,
        pp.MaxAbsScaler,
        feature_selection.VarianceThreshold,
        pp.OneHotEncoder,
        lambda: pp.OneHotEncoder() + (compose.Select("a") | pp.StandardScaler()),
        lambda: pp.StatImputer(("a", stats.Mean()), ("c", stats.Min())),
    ],
)
def test_steps_before_a_model_are_those_of_all_events(make):
    """The model behind them has met other values than one model alone, and is averaged."""
    cluster = Cluster(lambda: make() | naive_bayes.BernoulliNB())
    cluster.run(rows(400), 9)
    known = read_model(cluster.alone).by_place
    steps = [place for place in known if not place.endswith("BernoulliNB")]
    assert steps
    for learner in cluster.learners:
        found = read_model(learner).by_place
        close(Parts({p: found[p] for p in steps}), Parts({p: known[p] for p in steps}), 1e-8)


@pytest.mark.parametrize("make", [pp.StandardScaler, naive_bayes.GaussianNB])
def test_what_is_constant_has_no_variance_whatever_was_adopted_when(make):
    """A variance of 1e-34 would scale the next value to something without bounds."""
    cluster = Cluster(lambda: make() | dummy.PriorClassifier() if "Scaler" in str(make) else make())
    cluster.run((({"a": 0.1 + 0.2, "b": 1 / 3 * 1e6}, n % 2 == 0) for n in range(500)), 7)
    for learner in cluster.learners:
        moments = next(part.moments for part in read_model(learner).by_place.values())
        assert {one.m2 for one in moments.values()} == {0.0}
        assert {one.mean for one in moments.values()} == {0.1 + 0.2, 1 / 3 * 1e6}


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.integers(1, 29))
def test_moments_are_taken_away_as_they_were_added(values, cut):
    whole, part = _moments(values), _moments(values[: min(cut, len(values) - 1)])
    rest = _moments(values[min(cut, len(values) - 1) :])
    left = whole - part
    assert left.n == rest.n
    assert left.mean == pytest.approx(rest.mean, abs=1e-6)
    assert left.m2 == pytest.approx(rest.m2, abs=1e-2, rel=1e-6)
    assert (part + rest).m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-6)


def _moments(values) -> Moments:
    mean = sum(values) / len(values)
    return Moments(len(values), mean, sum((one - mean) ** 2 for one in values))


MAKES = {
    "glm": lambda: pp.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.05)),
    "adam": lambda: pp.StandardScaler() | linear_model.LogisticRegression(optim.Adam(0.01)),
    "pa": lambda: pp.StandardScaler() | linear_model.PAClassifier(),
    "softmax": lambda: pp.StandardScaler() | linear_model.SoftmaxRegression(),
}


def _weights(learner: Learner) -> dict:
    return list(read_model(learner).by_place.values())[-1 if not learner.classes else -2].weights


@pytest.mark.parametrize("name", MAKES)
def test_weights_are_averaged_by_the_events_learned_since_the_last_adoption(name):
    cluster = Cluster(MAKES[name], "multiclass" if name == "softmax" else "binary")
    source = rows(10_000)
    for _ in range(3):
        begun = [_weights(one) for one in cluster.learners]
        assert all(one == pytest.approx(begun[0]) for one in begun)
        counts = [30, 60, 0, 10]
        for shard, count in enumerate(counts):
            for _ in range(count):
                cluster.learn(shard, *next(source))
        ended = [_weights(one) for one in cluster.learners]
        cluster.publish()
        cluster.adopt()
        keys = set().union(*ended)
        wanted = {
            key: sum(n * one.get(key, 0.0) for n, one in zip(counts, ended, strict=True)) / 100
            for key in keys
        }
        for learner in cluster.learners:
            assert _weights(learner) == pytest.approx(wanted, abs=1e-12)


def test_what_a_shard_learned_after_it_was_read_is_kept_on_top_of_the_average():
    cluster = Cluster(MAKES["glm"], count=2)
    source = rows(300)
    for number in range(100):
        cluster.learn(number % 2, *next(source))
    cluster.publish()
    read = _weights(cluster.learners[0])
    for _ in range(20):
        cluster.learn(0, *next(source))
    later = _weights(cluster.learners[0])
    cluster.adopt(0)
    average = list(cluster.average.weights.by_place.values())[-1].weights
    wanted = {key: average[key] + later[key] - read[key] for key in later}
    assert _weights(cluster.learners[0]) == pytest.approx(wanted, abs=1e-12)


def test_a_shard_that_learns_nothing_pulls_nothing_back():
    cluster = Cluster(MAKES["glm"], count=2)
    source = rows(2_000)
    for number in range(100):
        cluster.learn(number % 2, *next(source))
    cluster.publish()
    cluster.adopt(1)  # the other one is away from now on
    for _ in range(5):
        before = _weights(cluster.learners[1])
        for _ in range(50):
            cluster.learn(1, *next(source))
        after = _weights(cluster.learners[1])
        assert after != before
        cluster.publish(1)
        cluster.adopt(1)
        assert _weights(cluster.learners[1]) == pytest.approx(after, abs=1e-12)


def test_nothing_is_averaged_where_nothing_was_learned():
    cluster = Cluster(MAKES["glm"])
    cluster.learn(0, {"a": 1.0}, True)
    cluster.publish()
    same = {str(i): own(cluster.learners[i], cluster.learned[i], None) for i in range(SHARDS)}
    assert averaged(cluster.average, same) is None


def test_a_shard_that_went_back_is_not_counted_twice():
    cluster = Cluster(lambda: compose.Select("c") | naive_bayes.MultinomialNB())
    source = list(rows(50))
    older = None
    for number, (x, y) in enumerate(source):
        cluster.learn(0, x, y)
        if number == 29:
            older = own(cluster.learners[0], 30, None)
    cluster.publish()
    cluster.learn(1, *source[0])
    now = {"0": older, "1": own(cluster.learners[1], 1, None)}
    following = averaged(cluster.average, now)
    assert following.shards["0"].learned == 50


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["learn", "publish", "adopt"])),
        min_size=1, max_size=60,
    )
)  # fmt: skip
def test_any_order_of_learning_publishing_and_adopting_counts_each_event_once(steps):
    cluster = Cluster(lambda: compose.Select("c") | naive_bayes.MultinomialNB(), count=3)
    source = rows(len(steps) + 1)
    cluster.learn(0, *next(source))
    for shard, step in steps:
        if step == "learn":
            cluster.learn(shard, *next(source))
        elif step == "publish":
            cluster.publish(shard)
        else:
            cluster.adopt(shard)
    cluster.publish()
    cluster.adopt()
    known = read_model(cluster.alone).by_place["/MultinomialNB"].sums
    for learner in cluster.learners:
        assert read_model(learner).by_place["/MultinomialNB"].sums == known


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (tree.HoeffdingTreeClassifier(), "HoeffdingTreeClassifier cannot be averaged"),
        (pp.RobustScaler() | linear_model.LogisticRegression(), "RobustScaler cannot"),
        (
            linear_model.LogisticRegression(optim.FTRLProximal()),
            "LogisticRegression with the optimizer FTRLProximal cannot",
        ),
        (linear_model.LogisticRegression(l1=0.1), "LogisticRegression with l1"),
        (pp.StandardScaler(window_size=9) | naive_bayes.GaussianNB(), "with a window_size cannot"),
        (
            pp.StatImputer(("c", stats.Mode())) | naive_bayes.GaussianNB(),
            "StatImputer with Mode cannot",
        ),
    ],
)
def test_what_cannot_be_averaged_is_named(model, said):
    (found,) = refusals(model)
    assert said in found
    assert found.endswith('use share = "vote" or "independent"')


def test_it_is_refused_at_the_start():
    divided = {"stream": {"shards": "partition"}, "retrain": {"enabled": False}}
    forest = {"pipeline": "forest.ARFClassifier()", "share": "averaged"}
    with pytest.raises(ConfigError, match="ARFClassifier cannot be averaged"):
        line_factory(make_config(**divided, model=forest))
    with pytest.raises(ConfigError, match="there is one model"):
        make_config(model={"share": "averaged"})
    line_factory(make_config(**divided, model={"share": "averaged"}))


@pytest.fixture
def crew(tmp_path):
    """Return a divided stream on the embedded log, and what lets a crew read it to its end."""
    config = make_config(
        stream={
            "shards": "partition",
            "broker": f"sqlite:///{tmp_path}/log.db",
            "store": f"sqlite:///{tmp_path}/store.db",
        },
        topics={"partitions": 2},
        retrain={"enabled": False},
        model={"share": "averaged", "average_every": 10**9},  # so that only the tests average
    )
    log = open_log(config.stream.broker)
    log.create_topics(dict.fromkeys(config.topic_names, 2))
    store = Store(config.stream.store, "s")

    def read(first: int, last: int) -> None:
        rows = [event(n, truth(n)) for n in range(first, last)]
        topic = config.events_topic
        log.sink().append([NewRecord(topic, row["id"].encode(), as_bytes(row)) for row in rows])
        with opened_crew(config, Secrets(), "here", Untraced, until_caught_up=True) as opened:
            opened.crew.run(lambda: False, opened.is_read)

    yield config, store, read
    store.close()
    log.close()


def merger(config, store, name: str, **model) -> Merger:
    changed = config.model.model_copy(update=model)
    return Merger(config.model_copy(update={"model": changed}), store, name, SystemClock())


def test_one_of_several_averages_and_each_shard_adopts_where_a_replay_does(crew):
    config, store, read = crew
    one, other = (merger(config, store, name, average_every=100) for name in ("one", "other"))
    read(0, 90)
    assert not one.tick(), "fewer than average_every were learned"
    read(90, 250)
    assert one.tick()
    assert not other.tick(), "it is the other one's lease"
    assert not one.tick()
    assert store.shared.numbers() == {KIND: 1}
    read(250, 300)
    for name in ("0-of-2", "1-of-2"):
        shard = store.of_shard(name)
        rows = shard.adoptions.all()
        assert [(row.kind, row.number) for row in rows] == [(KIND, 1)]
        assert 0 < rows[0].learned_offset < sum(shard.newest().offsets.values())
        with closing(open_log(config.stream.broker)) as log:
            topics = config.events_topic, config.labels_topic
            records = read_all(log, *topics, partition=int(name[0]))
        replay = Replay(config, records, script=script_of(config, shard, name))
        assert shard.newest().status["state_digest"] == state_digest(replay.line)
        assert replay.line.learner.model["StandardScaler"].counts["a"] > replay.line.counts.learned


def test_only_so_many_averages_are_kept(crew):
    config, store, read = crew
    one = merger(config, store, "one", average_every=1, averages_kept=2)
    for first in range(0, 120, 30):
        read(first, first + 30)
        assert one.tick()
    assert store.shared.after(KIND, 0) == [3, 4]
    kept = [row.number for row in store.of_shard("0-of-2").adoptions.all()]
    assert kept == [3], "of which it adopted three, before the last was made"
