# SPDX-License-Identifier: MIT
"""source_ask.py -- questions to source_dump, which says what source.h says."""
import json
import subprocess


def ask(program, questions):
    """Answers to (what, name, data) questions.

    What: "defs" of the program in the bytes `data`, its decoded "text", or
    the "context" of the entry `name` ("": where the marker stands).
    """
    text = b"".join(b"%s\t%s\t%d\n%s" % (what.encode(), name.encode(),
                                         len(data), data)
                    for what, name, data in questions)
    done = subprocess.run([program], input=text, stdout=subprocess.PIPE,
                          check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions), (len(answers), len(questions))
    return answers
