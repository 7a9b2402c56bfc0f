"""Pipelines and metrics read from text: what is built, what is refused, and in which words."""

from __future__ import annotations

import inspect
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, compose, linear_model, neighbors, utils

from stream.errors import PipelineError
from stream.pipelines import river_names
from stream.pipelines import syntax as pipeline_syntax
from stream.pipelines.read import canonical, read_metrics, read_pipeline

SIMPLE = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
MIXED = (
    "(compose.SelectType(str) | preprocessing.OneHotEncoder()) + "
    "(compose.SelectType(int, float) | preprocessing.StandardScaler()) | "
    "linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
)
LOGISTIC = "linear_model.LogisticRegression()"

# What River can build without arguments and riverrun refuses: they would have no steps.
EMPTY = {"compose.Pipeline", "compose.TransformerProduct", "compose.TransformerUnion"}


def read(text: str, seed: int = 42) -> Any:
    """The model as any, because River's Estimator declares none of what tests look at."""
    return read_pipeline(text, seed)


def refusal(text: str) -> str:
    with pytest.raises(PipelineError) as caught:
        read_pipeline(text)
    return str(caught.value)


def buildable() -> dict[str, type[Any]]:
    """Every class of the allowed modules that River builds without arguments."""
    found = {}
    for module in river_names.MODULES:
        for name, each in river_names.classes(module).items():
            try:
                each()
            except (TypeError, ValueError, RuntimeError):
                continue
            found[f"{module}.{name}"] = each
    return found


BUILDABLE = buildable()
ESTIMATORS = sorted(
    name
    for name, each in BUILDABLE.items()
    if issubclass(each, base.Estimator) and name not in EMPTY
)

LEARNERS = [
    name
    for name in ESTIMATORS
    if issubclass(BUILDABLE[name], base.Classifier | base.Regressor)
    and not issubclass(BUILDABLE[name], base.MultiTargetRegressor)
]


class TestReading:
    def test_builds_the_pipeline_that_the_text_names(self) -> None:
        model = read(SIMPLE)
        assert isinstance(model, compose.Pipeline)
        assert list(model.steps) == ["StandardScaler", "LogisticRegression"]

    def test_builds_what_python_would_build(self) -> None:
        from river import optim, preprocessing

        expected = (
            (compose.SelectType(str) | preprocessing.OneHotEncoder())
            + (compose.SelectType(int, float) | preprocessing.StandardScaler())
        ) | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
        # River cannot represent SelectType(int, float): it sorts the types.
        assert str(read(MIXED)) == str(expected)
        assert read(MIXED).steps["LogisticRegression"].optimizer.lr.learning_rate == 0.05

    def test_the_model_learns_and_predicts(self) -> None:
        model = read(MIXED)
        for n in range(100):
            model.learn_one({"n": n, "word": "ab"[n % 2]}, n % 2 == 0)
        assert model.predict_one({"n": 50, "word": "a"}) is True

    def test_each_read_gives_a_new_model(self) -> None:
        assert read(SIMPLE) is not read(SIMPLE)

    def test_multiplies_transformers(self) -> None:
        model = read("compose.Select('a') * compose.Select('b')")
        assert model.transform_one({"a": 2, "b": 3}) == {"a*b": 6}

    def test_reads_every_kind_of_literal(self) -> None:
        model = read(
            "preprocessing.OrdinalEncoder(categories={'c': {'x': 1, 'y': -2}}, "
            "unknown_value=None, none_value=-1)"
        )
        assert model.categories == {"c": {"x": 1, "y": -2}}
        text = "preprocessing.OneHotEncoder({'c': {'x', 'y'}}, drop_first=True)"
        assert read(text).categories == {"c": {"x", "y"}}
        assert read("compose.Grouper(preprocessing.StandardScaler(), ['a'])").by == ["a"]
        assert read("feature_extraction.TFIDF(ngram_range=(1, 2))").ngram_range == (1, 2)

    def test_a_rolling_statistic_takes_a_class(self) -> None:
        text = "feature_extraction.Agg('x', 'k', utils.Rolling(stats.Var, window_size=3, ddof=0))"
        assert isinstance(read(text).how, utils.Rolling)

    def test_named_steps_are_kept(self) -> None:
        text = f"compose.Pipeline(('scale', preprocessing.StandardScaler()), ('fit', {LOGISTIC}))"
        assert list(read(text).steps) == ["scale", "fit"]

    def test_an_expression_of_several_lines_stands_in_parentheses(self) -> None:
        text = f"\n(\n  preprocessing.StandardScaler()  # scaled\n  | {LOGISTIC}\n)\n"
        assert repr(read(text)) == repr(read(SIMPLE))

    @pytest.mark.parametrize("name", sorted(set(BUILDABLE) - EMPTY))
    def test_every_class_that_needs_no_argument_is_accepted(self, name: str) -> None:
        """Those that are no estimator are refused only for that, after having been built."""
        if name in ESTIMATORS:
            assert type(read(f"{name}()")) is BUILDABLE[name]
        elif name != "optim.Optimizer":
            assert "where an estimator is expected" in refusal(f"{name}()")

    def test_most_estimators_need_no_argument(self) -> None:
        assert len(ESTIMATORS) > 60

    def test_known_parameters_hold_what_river_itself_puts_there(self) -> None:
        """The table of kinds and limits refuses none of River's own defaults."""
        for name, each in BUILDABLE.items():
            for parameter in inspect.signature(each).parameters.values():
                default = parameter.default
                kind = river_names.kind(parameter.name)
                if kind is not None and default not in (None, parameter.empty):
                    assert isinstance(default, kind), (name, parameter)
                largest = river_names.LARGEST.get(parameter.name)
                if largest is not None and isinstance(default, int):
                    assert default <= largest, (name, parameter)


class TestSeed:
    def test_every_part_without_a_seed_gets_the_given_one(self) -> None:
        model = read(
            "preprocessing.GaussianRandomProjector() | ensemble.SRPClassifier("
            "ensemble.BaggingClassifier(tree.HoeffdingAdaptiveTreeClassifier()))",
            seed=7,
        )
        outer = model.steps["SRPClassifier"]
        assert model.steps["GaussianRandomProjector"].seed == 7
        assert (outer.seed, outer.model.seed, outer.model.model.seed) == (7, 7, 7)

    def test_a_seed_in_the_text_stays(self) -> None:
        assert read("forest.ARFClassifier(seed=1)", seed=7).seed == 1
        assert read("forest.ARFClassifier(seed=0)", seed=7).seed == 0

    def test_no_seed_in_the_text_is_no_seed(self) -> None:
        assert read("forest.ARFClassifier(seed=None)", seed=7).seed == 7

    def test_parts_that_river_makes_by_itself_get_it_too(self) -> None:
        model = read("neighbors.KNNClassifier()", seed=7)
        assert isinstance(model.engine, neighbors.SWINN)
        assert model.engine.seed == 7

    def test_the_seed_is_42_by_default(self) -> None:
        assert read("anomaly.HalfSpaceTrees()").seed == 42

    @pytest.mark.parametrize("name", LEARNERS)
    def test_two_readings_learn_the_same(self, name: str) -> None:

        def predictions() -> list[str]:
            model = read(f"{name}()")
            draw = random.Random(1)
            found = []
            for _ in range(300):
                x: dict[Any, Any] = {key: draw.random() for key in "abc"}
                found.append(repr(model.predict_one(x)))
                if isinstance(model, base.Classifier):
                    model.learn_one(x, x["a"] + draw.random() > 1)
                else:
                    model.learn_one(x, x["a"] + draw.random())
            return found

        assert predictions() == predictions()


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "linear_model.LogisticRegresion()",
                "column 1: 'linear_model.LogisticRegresion': linear_model has no class "
                "LogisticRegresion; did you mean LogisticRegression?",
            ),
            (
                "optim.schedulers.Zzzzz()",
                "column 1: 'optim.schedulers.Zzzzz': optim.schedulers has no class Zzzzz; there "
                "are: Constant, InverseScaling, Optimal",
            ),
            (
                "preprocesing.StandardScaler()",
                "column 1: 'preprocesing.StandardScaler': River has no module preprocesing; did "
                "you mean preprocessing?",
            ),
            (
                "LogisticRegression()",
                "column 1: 'LogisticRegression': a class is named with its module; did you mean "
                "linear_model.LogisticRegression?",
            ),
            (
                "drift.DDM()",
                "column 1: 'drift.DDM': drift has no class DDM; did you mean drift.binary.DDM?",
            ),
            (
                "river.linear_model.LogisticRegression()",
                "column 1: 'river.linear_model.LogisticRegression': leave out 'river.': write "
                "linear_model.LogisticRegression",
            ),
            (
                "datasets.Phishing()",
                "column 1: 'datasets.Phishing': River's datasets is not open to pipelines; an "
                "estimator of it comes in by factory",
            ),
            (
                "compose.FuncTransformer(int)",
                "column 1: 'compose.FuncTransformer': it takes own Python code, which comes in by "
                "factory",
            ),
            (
                "feature_extraction.TFIDF(tokenizer_pattern='(a+)+')",
                "column 44: \"'(a+)+'\": tokenizer_pattern takes own Python code, which comes in "
                "by factory",
            ),
            (
                "linear_model.LogisticRegression(optimiser=3)",
                "column 33: 'optimiser=3': LogisticRegression has no parameter optimiser; did you "
                "mean optimizer?",
            ),
            (
                "stats.Mean(x=3)",
                "column 12: 'x=3': Mean has no parameter x; there are none",
            ),
            (
                "forest.ARFClassifier(seed=1, seed=2)",
                "column 30: 'seed=2': seed is given twice",
            ),
            (
                "ensemble.BaggingClassifier()",
                "column 1: 'ensemble.BaggingClassifier()': missing a required argument: 'model'; "
                "it is BaggingClassifier(model, n_models, seed)",
            ),
            (
                "stats.Mean(3)",
                "column 1: 'stats.Mean(3)': too many positional arguments; it is Mean()",
            ),
            (
                "linear_model.LogisticRegression(optim.losses.Log())",
                "column 33: 'optim.losses.Log()': found a Log; optimizer takes a River "
                "optim.base.Optimizer",
            ),
            (
                "ensemble.BaggingClassifier(None)",
                "column 28: 'None': found None; model takes a River base.Estimator",
            ),
            (
                "drift.PageHinkley(mode='x')",
                "column 1: \"drift.PageHinkley(mode='x')\": River refused it: ValueError: Invalid "
                "'mode'. Valid values are: ['up', 'down', 'both']",
            ),
            (
                "linear_model.LogisticRegression",
                "column 1: 'linear_model.LogisticRegression': LogisticRegression is a class; write "
                "LogisticRegression()",
            ),
            (
                "stats.Mean()",
                "column 1: 'stats.Mean()': found a Mean where an estimator is expected",
            ),
            ("int", "column 1: 'int': found the class int where an estimator is expected"),
            ("int('3')", "column 1: 'int': int only names a type; it cannot be called"),
            (
                "(3)(4)",
                "column 2: '3': only module.Class of River can be named or called",
            ),
            (
                "preprocessing.StandardScaler().learn_one({})",
                "column 1: 'preprocessing.StandardScaler().learn_one': only module.Class of River "
                "can be named or called",
            ),
            (
                f"{LOGISTIC} | {LOGISTIC}",
                "column 1: 'linear_model.LogisticRegression()': a LogisticRegression is not a "
                "transformer; it can only be a pipeline's last step",
            ),
            (
                "preprocessing.StandardScaler() | 3",
                "column 34: '3': found 3; '|' joins two estimators",
            ),
            (
                "preprocessing.StandardScaler() * 'country'",
                "column 34: \"'country'\": found 'country'; '*' joins two estimators; to group by "
                "a feature, use compose.Grouper",
            ),
            (
                "compose.Pipeline()",
                "column 1: 'compose.Pipeline()': a Pipeline needs at least one step",
            ),
            (
                "compose.Pipeline(3)",
                "column 1: 'compose.Pipeline(3)': found 3 as a step of a pipeline",
            ),
            (
                f"compose.TransformerUnion({LOGISTIC})",
                "column 1: 'compose.TransformerUnion(linear_model.LogisticRegression())': a "
                "LogisticRegression is not a transformer; it can only be a pipeline's last step",
            ),
            (
                "compose.Renamer({[1]: 2})",
                "column 18: '[1]': a list, set or dict cannot be a key",
            ),
            (
                "feature_extraction.Agg('x', 'k', utils.Rolling(stats.Mean(), 3))",
                "column 48: 'stats.Mean()': a class is wanted here, without (...)",
            ),
            (
                "utils.Rolling(linear_model.LogisticRegression, 3)",
                "column 15: 'linear_model.LogisticRegression': LogisticRegression cannot be "
                "rolled; name one of stats",
            ),
            ("stats.Mean(", "column 11: not an expression: '(' was never closed"),
            (
                "stats.Mean()\n| stats.Var()",
                "line 2, column 1: not an expression: invalid syntax; put parentheses round an "
                "expression of several lines",
            ),
            (
                "(compose.Select('ä') |\ncompose.Select('é') | stats.Men())",
                "line 2, column 23: 'stats.Men': stats has no class Men; did you mean Mean?",
            ),
        ],
    )
    def test_the_message_names_position_piece_and_remedy(self, text: str, message: str) -> None:
        assert refusal(text) == message

    @pytest.mark.parametrize(
        "text",
        [
            "os.system('x')",
            "sklearn.linear_model.LogisticRegression()",
            "__import__('os')",
            "open('/etc/passwd')",
            "linear_model.__class__()",
            "linear_model._GLM()",
            "utils.random.poisson()",
            "builtins.eval('1')",
        ],
    )
    def test_names_outside_river_are_sent_to_factory(self, text: str) -> None:
        message = refusal(text)
        assert "only River's estimators may be named" in message
        assert 'Own Python code comes in by factory = "package.module:function"' in message

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("lambda: 3", "a lambda"),
            ("f'{3}'", "an f-string"),
            ("[x for x in 'ab']", "a comprehension"),
            ("{x: 1 for x in 'ab'}", "a comprehension"),
            ("compose.Select(*['a'])", "star arguments"),
            ("compose.Select(**{'a': 1})", "star arguments"),
            ("{**{}}", "** in a dict"),
            ("stats.Mean()[0]", "an index"),
            ("(x := 3)", "an assignment"),
            ("1 if 1 else 2", "a condition"),
            ("1 < 2", "a comparison"),
            ("1 and 2", "and/or"),
            ("stats.Mean() / 2", "Div"),
            ("~3", "Invert"),
            ("b'x'", "a literal of type bytes"),
            ("3j", "a literal of type complex"),
            ("...", "a literal of type ellipsis"),
        ],
    )
    def test_other_python_is_named_and_refused(self, text: str, found: str) -> None:
        message = refusal(text)
        assert f"found {found};" in message
        assert "allowed are module.Class(...) of River" in message

    def test_minus_stands_before_numbers_only(self) -> None:
        assert "found a minus before something that is not a number" in refusal("-True")


class TestBounds:
    @pytest.mark.parametrize(
        "text",
        [
            "(" * 9_999,
            "[" * 150 + "]" * 150,
            "-" * 9_999 + "1",
            "a" + ".a" * 4_990,
            "a|" * 4_990 + "a",
            "a" + "()" * 4_900,
            "not " * 2_400 + "1",
            "lambda:" * 1_400 + "1",
            "9" * 9_999,
            "a\0b",
            "\ud800",
            "",
            "  \n ",
            "1e999",
            "'" + "a" * 9_990 + "'",
        ],
        ids=lambda text: ascii(text[:12]),
    )
    def test_hostile_text_is_refused_like_any_other(self, text: str) -> None:
        refusal(text)
        with pytest.raises(PipelineError):
            read_metrics([text])

    def test_text_has_a_largest_length(self) -> None:
        text = SIMPLE + " " * pipeline_syntax.MAX_CHARACTERS
        assert refusal(text).startswith("found 10,066 characters; at most 10,000 are allowed")

    def test_nesting_has_a_largest_depth(self) -> None:
        assert refusal("[" * 60 + "]" * 60) == (
            "the text is nested too deeply; at most 50 levels are allowed"
        )

    def test_parts_have_a_largest_number(self) -> None:
        assert refusal(f"compose.Select({'1,' * 4_500})") == (
            "the text has too many parts; at most 4,000 are allowed"
        )

    def test_numbers_have_a_largest_size(self) -> None:
        assert "the number is too large; at most 1,000,000,000 is allowed" in refusal(
            "optim.SGD(-1e10)"
        )

    @pytest.mark.parametrize(("parameter", "largest"), river_names.LARGEST.items())
    def test_parameters_that_cost_memory_have_a_largest_value(
        self, parameter: str, largest: int
    ) -> None:
        classes = [
            f"{module}.{name}"
            for module in river_names.MODULES
            for name, each in river_names.classes(module).items()
            if parameter in inspect.signature(each).parameters
        ]
        linear = "linear_model.LinearRegression()"
        required = {"model": LOGISTIC, "classifier": LOGISTIC, "regressor": linear}
        for each in sorted(set(classes) - {"utils.Rolling"}):
            found = river_names.classes(each.rpartition(".")[0])[each.rpartition(".")[2]]
            given = {
                name: required.get(name, "1")
                for name, each_parameter in inspect.signature(found).parameters.items()
                if each_parameter.default is each_parameter.empty
            } | {parameter: str(largest + 1)}
            message = refusal(f"{each}({', '.join(f'{k}={v}' for k, v in given.items())})")
            assert f"{parameter} is too large; at most {largest:,} is allowed" in message
        assert classes

    @pytest.mark.parametrize(
        "wrapper", ["BaggingClassifier(n_models=200, model=", "AdaBoostClassifier("]
    )
    def test_wrappers_in_wrappers_are_counted(self, wrapper: str) -> None:
        text = f"ensemble.{wrapper}" * 5 + LOGISTIC + ")" * 5
        assert "estimators; at most 10,000 are allowed" in refusal(text)

    def test_wrappers_that_clone_without_a_number_are_counted_too(self) -> None:
        text = "drift.DriftRetrainingClassifier(" * 12 + LOGISTIC + ")" * 12
        assert "estimators; at most 10,000 are allowed" in refusal(text)

    def test_long_pipelines_are_welcome(self) -> None:
        steps = ["preprocessing.StandardScaler()"] * 40
        assert len(read(" | ".join(steps)).steps) == 40


# Split at run time, so that they can be read.
WORDS = re.split(
    r"\s+",
    "( ) [ ] { } , . | + * - = : 1 0.5 'a' None True int str lambda x for in if ** "
    "preprocessing.StandardScaler() linear_model.LogisticRegression() stats.Mean "
    "compose.Select compose.Pipeline utils.Rolling optim.SGD seed n_models cls "
    "ensemble.BaggingClassifier __import__ os.system eval",
)


class TestNothingRuns:
    @settings(max_examples=300, deadline=None)
    @given(st.text())
    def test_any_text_is_a_pipeline_or_a_pipeline_error(self, text: str) -> None:
        try:
            read(text)
        except PipelineError as error:
            assert str(error)

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.sampled_from(WORDS),
            max_size=12,
        )
    )
    def test_any_mixture_of_words_is_a_pipeline_or_a_pipeline_error(self, words: list[str]) -> None:
        text = "".join(words)
        for reader in (read_pipeline, canonical, lambda each: read_metrics([each])):
            try:
                reader(text)
            except PipelineError as error:
                assert str(error)

    @pytest.mark.parametrize(
        "template",
        [
            "__import__('os').mkdir({path!r})",
            "os.mkdir({path!r})",
            "(lambda: __import__('os').mkdir({path!r}))()",
            "[__import__('os').mkdir({path!r}) for _ in [1]]",
            "f\"{{__import__('os').mkdir({path!r})}}\"",
            "eval('__import__(\"os\").mkdir({path!r})')",
            "compose.FuncTransformer(__import__('os').mkdir({path!r}))",
            "preprocessing.StandardScaler(with_std=__import__('os').mkdir({path!r}))",
            "().__class__.__base__.__subclasses__()[0]({path!r})",
            "stats.Mean.__init__.__globals__['os'].mkdir({path!r})",
        ],
    )
    def test_code_in_the_text_is_never_run(self, template: str, tmp_path: Path) -> None:
        path = tmp_path / "ran"
        text = template.format(path=os.fspath(path))
        refusal(text)
        canonical_or_error(text)
        with pytest.raises(PipelineError):
            read_metrics([text])
        assert not path.exists()

    def test_importing_the_reader_does_not_import_river(self) -> None:
        modules = "stream.pipelines.read, stream.pipelines.tasks, stream.pipelines.factory"
        code = f"import sys, {modules}; print('river' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout.strip() == "False"


def canonical_or_error(text: str) -> str:
    try:
        return canonical(text)
    except PipelineError as error:
        return str(error)


class TestCanonical:
    @pytest.mark.parametrize(
        "text",
        [
            "compose.Select('a', 'b')|linear_model.LogisticRegression()",
            'compose.Select("a",\n  "b", ) | linear_model.LogisticRegression( )  # why',
            "  (compose.Select('a', 'b') | (linear_model.LogisticRegression()))  ",
        ],
    )
    def test_spacing_quotes_and_comments_do_not_matter(self, text: str) -> None:
        expected = "compose.Select('a', 'b') | linear_model.LogisticRegression()"
        assert canonical(text) == expected

    def test_values_matter(self) -> None:
        assert canonical("optim.SGD(0.1)") != canonical("optim.SGD(0.2)")
        assert canonical("optim.SGD(.10)") == canonical("optim.SGD(1e-1)")

    def test_refuses_what_is_no_expression(self) -> None:
        with pytest.raises(PipelineError, match="not an expression"):
            canonical("a b")

    @pytest.mark.parametrize("name", ESTIMATORS)
    def test_every_estimator_survives_the_round_trip(self, name: str) -> None:
        text = canonical(f" {name}( ) ")
        assert canonical(text) == text
        assert type(read(text)) is BUILDABLE[name]

    @pytest.mark.parametrize("text", [SIMPLE, MIXED])
    def test_the_normal_form_builds_the_same_model(self, text: str) -> None:
        assert str(read(canonical(text))) == str(read(text))

    @given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists))
    def test_the_normal_form_of_a_normal_form_is_itself(self, value: object) -> None:
        try:
            once = canonical(repr(value))
        except PipelineError:
            return
        assert canonical(once) == once


class TestMetrics:
    def test_the_key_is_the_text(self) -> None:
        found: dict[str, Any] = dict(read_metrics(["ROCAUC", "FBeta(beta=2)", "metrics.MAE()"]))
        assert list(found) == ["ROCAUC", "FBeta(beta=2)", "metrics.MAE()"]
        assert found["FBeta(beta=2)"].beta == 2

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("ROCAUCC", "metrics has no class ROCAUCC; did you mean ROCAUC?"),
            ("F1(possval=1)", "F1 has no parameter possval; did you mean pos_val?"),
            ("FBeta", "missing a required argument: 'beta'; it is FBeta(beta, cm, pos_val)"),
            ("ClassificationReport", "a report, not a metric: it gives no single number"),
            ("ConfusionMatrix", "a report, not a metric: it gives no single number"),
            ("Silhouette", "found a Silhouette where a metric is expected"),
            ("stats.Mean", "found a Mean where a metric is expected"),
            ("3", "only module.Class of River can be named or called"),
        ],
    )
    def test_the_message_names_the_metric_and_the_remedy(self, name: str, message: str) -> None:
        with pytest.raises(PipelineError) as caught:
            read_metrics([name])
        assert str(caught.value).startswith(f"metric {name!r}: column ")
        assert message in str(caught.value)

    def test_a_metric_stands_once(self) -> None:
        with pytest.raises(PipelineError, match="metric 'MAE' stands twice"):
            read_metrics(["MAE", "MAE"])

    def test_every_metric_of_one_number_is_accepted(self) -> None:
        names = [n for n in river_names.classes("metrics") if f"metrics.{n}" in BUILDABLE]
        reports = {"ClassificationReport", "ConfusionMatrix", "Silhouette"}
        assert len(read_metrics([n for n in names if n not in reports])) > 30
