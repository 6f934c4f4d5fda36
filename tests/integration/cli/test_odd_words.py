"""Words that nobody should type, files nobody should write, neighbours nobody expects: always a sentence."""

import http.server
import json
import subprocess
import threading

import pytest


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["order", "x", "--title", "t" * 201], 3, "title: is too long a text; it may have 200 characters at most"),
        (["order", "x", "--deadline", "nan"], 2, "nan is no number of seconds"),
        (["order", "x", "--deadline", "inf"], 2, "inf is no number of seconds"),
        (["order", "x", "--key", "grüß"], 2, "plain ASCII characters"),
        (["order", "x", "--key", "a\nb"], 2, "plain ASCII characters"),
        (["order", "x", "--key", ""], 2, "plain ASCII characters"),
        (["order", "x", "--key", "k" * 201], 2, "200 characters at most"),
        (["order", "x", "--file", "/dev/zero"], 3, "is over 8,388,608 bytes"),
        (["check", "/dev/zero"], 3, "is over 33,554,432 bytes"),
        (["tasks", "--url", "http://127.0.0.1:99999"], 2, "this is no address"),
        (["tasks", "--url", "http://[::"], 2, "this is no address"),
        (["tasks", "--url", "http://"], 2, "this is no address"),
        (["tasks", "--url", "localhost"], 2, "begins with http"),
        (["talk", "--new", "--conversation", "x"], 2, "--new starts another conversation"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_odd_words_get_a_sentence_and_a_stable_code(aicompany, words, code, sentence):
    done = aicompany(*words)
    assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr


def test_a_broken_address_is_not_believed_and_what_can_be_no_id_is_not_found(aicompany, tmp_path, company):
    (tmp_path / "order.yaml").write_text("prompt: Say hello")
    assert aicompany("run", company, tmp_path / "order.yaml", "--state", tmp_path / "s").returncode == 0
    for left in ('{"url": "http://[::"}', '{"url": 3}', "[]", "{"):
        (tmp_path / "s" / "gateway.json").write_text(left)
        assert aicompany("tasks", "--state", tmp_path / "s").returncode == 0, left
    done = aicompany("order", "x", "--state", tmp_path / "s")
    assert (done.returncode, "does not run" in done.stderr) == (5, True)
    for words in (["task", ""], ["task", ".."], ["dead", "show", "\udcff"]):
        done = aicompany(*words, "--state", tmp_path / "s")
        assert (done.returncode, "aicompany tasks" in done.stderr) == (4, True)


class Stranger(http.server.BaseHTTPRequestHandler):
    """Something else that speaks HTTP."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello")

    def log_message(self, *_):
        pass


def test_another_server_at_the_address_is_called_what_it_is(aicompany):
    with http.server.HTTPServer(("127.0.0.1", 0), Stranger) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        done = aicompany("tasks", "--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        serving.join()
    assert (done.returncode, "is no company's gateway" in done.stderr) == (5, True)


def test_signs_that_a_terminal_cannot_show_and_text_that_is_none(tmp_path, environment, words_of, up):
    def run(*words, encoding, stdin=b""):
        return subprocess.run(
            words_of(*words), input=stdin, capture_output=True, timeout=60, check=False, cwd=tmp_path,
            env={**environment, "PYTHONIOENCODING": encoding},
        )  # fmt: skip

    with up():
        shown = run("order", "Say „hello“", "--wait", encoding="iso-8859-1")
        assert (shown.returncode, b"Say \\u201ehello\\u201c" in shown.stdout) == (0, True)
        for words in (["order", "-"], ["talk"]):
            done = run(*words, encoding="utf-8:strict", stdin=b"\xff\xfe\n")
            assert (done.returncode, b"not valid UTF-8 (byte 0)" in done.stderr) == (3, True)


def test_all_wrong_variables_are_named_at_once(aicompany, company):
    done = aicompany("check", company, environment={"AICOMPANY_GATEWY": "1", "AICOMPANY_MODEL__NME": "2"})
    assert done.returncode == 3
    assert "AICOMPANY_GATEWAY?" in done.stderr
    assert "AICOMPANY_MODEL__NAME?" in done.stderr


def test_version_tells_what_is_installed(aicompany, tmp_path):
    told = json.loads(aicompany("version", "-o", "json").stdout)
    assert told["state"].startswith(str(tmp_path))
    assert told["aicompany"] in aicompany("--version").stdout
