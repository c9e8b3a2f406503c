# SPDX-License-Identifier: MIT
"""source_decode.py -- decoding by source.h against CPython's.

Encodings: every one- and two-byte sequence above ASCII that CPython decodes
must give the same text (or be refused, which is safe; how many is printed).
Cookies: small files with marks, cookies and line ends in many places must be
taken or refused as CPython's compile() does.  Exit 0, or 1 on a difference.
"""
import argparse
import itertools
import sys

from source_ask import ask

SINGLE = """ascii latin-1 iso-8859-1 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5
iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-9 iso-8859-10 iso-8859-11 iso-8859-13
iso-8859-14 iso-8859-15 iso-8859-16 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255
cp1256 cp1257 cp1258 cp437 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861
cp862 cp863 cp865 cp866 cp869 koi8-r koi8-u koi8-t mac-roman latin9 L2
windows-1252 us-ascii Latin_1""".split()
DOUBLE = """shift_jis cp932 euc-jp euc-kr cp949 gb2312 gbk big5 cp950
big5hkscs""".split()

MARK = b"\xef\xbb\xbf"
COOKIES = [
    b"# coding: latin-1", b"# -*- coding: latin-1 -*-", b"#coding=latin-1",
    b"# vim: set fileencoding=latin-1 :", b"# coding : latin-1",
    b"# coding:latin-1;", b"\t\f # coding: latin-1", b"x = 1 # coding: latin-1",
    b"# coding: utf-8", b"# coding: UTF_8", b"# coding: utf8", b"# coding: u8",
    b"# coding: utf-8-sig", b"# coding: nothing-known", b"# coding: rot13",
    b"# coding:", b"# coding coding= latin-1", b"# coding: coding: latin-1",
    b"# encoding=iso-8859-15", b"'''# coding: latin-1'''", b"#", b"\\", b"",
    b"# coding=utf-16", b"# coding: latin-1-unix", b"# coding: utf-8-unix",
    b"#coding:x", b"#coding:l1", b"#!/usr/bin/python", b"# c\xc3\xb6ding",
]
BODIES = [b"s = '\xc3\xa9'", b"s = '\xe9'", b"s = ''"]
ENDS = [b"\n", b"\r\n", b"\r"]


def decode(program, datas):
    return ask(program, [("text", "", data) for data in datas])


def sequences(name):
    """Byte sequences above ASCII that CPython decodes alone."""
    found = []
    tries = [bytes([a]) for a in range(0x80, 0x100)]
    tries += [bytes([a]) for a in range(1, 0x80) if a not in (10, 13)]
    if name in DOUBLE:
        tries += [bytes([a, b]) for a in range(0x80, 0x100)
                  for b in range(0x40, 0x100)]
    for data in tries:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if len(data) == 1 or len(text) == 1:
            found.append((data, text))
    return found


def decode_all(program, cases):
    """Our texts of (encoding, bytes, text) cases, None where refused; as many
    of one encoding in a file as go, for there are 137,000."""
    ours = [None] * len(cases)
    chunks = []
    for i, case in enumerate(cases):
        if (not chunks or len(chunks[-1]) == 500
                or cases[chunks[-1][0]][0] != case[0]):
            chunks.append([])
        chunks[-1].append(i)
    while chunks:
        datas = []
        for chunk in chunks:
            head = b"# coding: " + cases[chunk[0]][0].encode() + b"\n"
            datas.append(head + b"".join(b"#" + cases[i][1] + b"#\n"
                                         for i in chunk))
        again = []
        for chunk, got in zip(chunks, decode(program, datas)):
            if "text" in got:
                for i, line in zip(chunk, got["text"].split("\n")[1:]):
                    ours[i] = line[1:-1]
            elif len(chunk) > 1:
                half = len(chunk) // 2
                again += [chunk[:half], chunk[half:]]
        chunks = again
    return ours


def check_encodings(program):
    n_bad = 0
    cases = [(name, data, text) for name in SINGLE + DOUBLE
             for data, text in sequences(name)]
    refused = {}
    for (name, data, text), ours in zip(cases, decode_all(program, cases)):
        if ours is None:
            refused.setdefault(name, []).append(data)
        elif ours != text:
            n_bad += 1
            print("%s: %r is %r, not %r" % (name, data, ours, text))
    for name, data in refused.items():
        print("%s: %d sequences refused, %r first" % (name, len(data), data[0]))
        n_bad += name in SINGLE
    print("%d sequences of %d encodings, %d differences"
          % (len(cases), len(SINGLE + DOUBLE), n_bad))
    return n_bad + (not cases)


def cpython_reads(data):
    """The value of s, or None when CPython refuses the file."""
    space = {}
    try:
        exec(compile(data, "file.py", "exec"), space)
    except (SyntaxError, ValueError, LookupError):
        return None
    return space.get("s", "")


def we_read(got):
    if "text" not in got:
        return None
    space = {}
    try:
        exec(compile(got["text"], "file.py", "exec"), space)
    except (SyntaxError, ValueError):
        return None
    return space.get("s", "")


def check_cookies(program):
    n_bad = n_read = 0
    cases = []
    for mark, one, two, body, end in itertools.product(
            (b"", MARK), COOKIES, COOKIES, BODIES, ENDS):
        if end == b"\n" or two in COOKIES[:4]:
            cases.append(mark + end.join((one, two, body)) + end)
    for one in COOKIES:
        cases += [one, MARK + one, one + b"\n", one + b"\r"]
        cases += [b"\n\n" + one + b"\ns = '\xe9'"]
    for data, got in zip(cases, decode(program, cases)):
        want = cpython_reads(data)
        have = we_read(got)
        n_read += want is not None
        if want != have:
            n_bad += 1
            print("%r: %r, not %r (%s)" % (data, have, want,
                                           got.get("error", "")))
    print("%d files, of which CPython reads %d, %d differences"
          % (len(cases), n_read, n_bad))
    return n_bad + (not n_read)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True)
    options = parser.parse_args()
    n_bad = check_cookies(options.dump)
    n_bad += check_encodings(options.dump)
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
