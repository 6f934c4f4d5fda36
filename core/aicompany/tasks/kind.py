"""What sort of work a prompt asks for, when nobody said."""

import re

from aicompany.tasks.task import TaskKind

_WORDS: tuple[tuple[TaskKind, str], ...] = (
    (TaskKind.OPERATIONS, r"deploy\w*|rollback|incident|outage|restart|backup|monitor\w*|provision\w*"),
    (
        TaskKind.CODE,
        r"code|function|class|script|bug|refactor\w*|implement\w*|unit tests?|python|javascript|typescript|rust|sql|"
        r"compile\w*|pull request|stack ?trace",
    ),
    (TaskKind.ANALYSIS, r"analy[sz]\w*|compare|review|evaluate|assess|audit|investigate|summari[sz]e"),
    (TaskKind.WRITING, r"write|draft|document\w*|notes?|article|blog|report|e-?mail|letter|translate"),
)
_PATTERNS = tuple((kind, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for kind, words in _WORDS)


def kind_of(prompt: str) -> TaskKind:
    """The kind whose words occur most; ties go to the one listed first; a question when none occurs."""
    counted = [(len(pattern.findall(prompt)), kind) for kind, pattern in _PATTERNS]
    most, kind = max(counted, key=lambda entry: entry[0])
    return kind if most else TaskKind.QUESTION
