#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""honest.py --cwm PROGRAM -- do right programs pass?

The tests run in one process and the candidate in another, so every value that
a test looks at has crossed.  Each row is tests of a function f, called
`candidate` there, and a program that is right.  All must pass, strictly and
with --compat.  What is not met strictly is in NOT_MET, so that it is known:
docs/design.md, section 14, says why.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

# (name, tests, program)
RIGHT = [
    ('deeprec',
     'assert candidate(20000)==20000',
     'import sys\n'
     'sys.setrecursionlimit(10**6)\n'
     'def f(n): return 0 if n==0 else 1+f(n-1)\n'),
    ('deeprec900',
     'assert candidate(900)==900',
     'def f(n): return 0 if n==0 else 1+f(n-1)\n'),
    ('threadstack',
     'assert candidate(100000)==100000',
     'import sys,threading\n'
     'sys.setrecursionlimit(10**6)\n'
     'threading.stack_size(256*1024*1024)\n'
     'def g(n): return 0 if n==0 else 1+g(n-1)\n'
     'def f(n):\n'
     '    r=[]\n'
     '    t=threading.Thread(target=lambda:r.append(g(n)));t.start();t.join();return r[0]\n'),
    ('prints',
     'assert candidate(3)==3',
     'def f(n):\n'
     "    for i in range(100000): print('x'*100)\n"
     '    return n\n'),
    ('namedtuple',
     'assert candidate(3)==(3,4)\n'
     'assert candidate(3)[0]==3',
     'from collections import namedtuple\n'
     "P=namedtuple('P','x y')\n"
     'def f(n): return P(n,n+1)\n'),
    ('dataclass',
     'a=candidate(3)\n'
     'assert a.x==3 and a.d=={1:2}',
     'from __future__ import annotations\n'
     'from dataclasses import dataclass,field\n'
     '@dataclass\n'
     'class P:\n'
     '    x:int\n'
     '    d:dict=field(default_factory=lambda:{1:2})\n'
     'def f(n:int)->P: return P(n)\n'),
    ('dictorder',
     'assert list(candidate([3,1,2]).items())==[(3,0),(1,1),(2,2)]',
     'def f(l): return {x:i for i,x in enumerate(l)}\n'),
    ('defaultdict',
     "assert candidate('aab')=={'a':2,'b':1}",
     'from collections import defaultdict\n'
     'def f(s):\n'
     '    d=defaultdict(int)\n'
     '    for c in s: d[c]+=1\n'
     '    return d\n'),
    ('counter',
     "assert candidate('aab')=={'a':2,'b':1}\n"
     "assert candidate('aab').most_common(1)==[('a',2)]",
     'from collections import Counter\n'
     'def f(s): return Counter(s)\n'),
    ('ordered',
     'from collections import OrderedDict\n'
     "assert candidate('aab')==OrderedDict([('a',1),('b',2)])",
     'from collections import OrderedDict\n'
     "def f(s): return OrderedDict([('a',1),('b',2)])\n"),
    ('floats',
     'assert abs(candidate(0.1,0.2)-0.3)<1e-9\n'
     'import math\n'
     'assert math.isclose(candidate(1.5,2),3.5)',
     'def f(a,b): return a+b\n'),
    ('infnan',
     'import math\n'
     'assert candidate(1)==math.inf\n'
     'assert math.isnan(candidate(0))',
     "def f(a): return float('inf') if a else float('nan')\n"),
    ('negzero',
     'import math\n'
     'assert math.copysign(1,candidate())==-1',
     'def f(): return -0.0\n'),
    ('deepnest',
     'x=candidate(50)\n'
     'for _ in range(50): x=x[0]\n'
     'assert x==[]',
     'def f(n):\n'
     '    x=[]\n'
     '    for _ in range(n): x=[x]\n'
     '    return x\n'),
    ('deepnest500',
     'x=candidate(500)\n'
     'for _ in range(500): x=x[0]\n'
     'assert x==[]',
     'def f(n):\n'
     '    x=[]\n'
     '    for _ in range(n): x=[x]\n'
     '    return x\n'),
    ('deepnest eq',
     'x=[]\n'
     'for _ in range(300): x=[x]\n'
     'assert candidate(300)==x',
     'def f(n):\n'
     '    x=[]\n'
     '    for _ in range(n): x=[x]\n'
     '    return x\n'),
    ('deep arg',
     'x=[]\n'
     'for _ in range(300): x=[x]\n'
     'assert candidate(x)==300',
     'def f(x):\n'
     '    n=0\n'
     '    while x: x=x[0];n+=1\n'
     '    return n\n'),
    ('generator',
     'assert list(candidate(3))==[0,1,2]',
     'def f(n):\n'
     '    yield from range(n)\n'),
    ('generator next',
     'g=candidate()\n'
     'assert [next(g) for _ in range(4)]==[0,1,2,3]',
     'import itertools\n'
     'def f(): return itertools.count()\n'),
    ('zip iter',
     'assert list(candidate([1,2],[3,4]))==[(1,3),(2,4)]\n'
     'assert dict(candidate([1],[2]))=={1:2}\n'
     'for a,b in candidate([1],[2]): assert (a,b)==(1,2)',
     'def f(a,b): return zip(a,b)\n'),
    ('map iter',
     'assert sorted(candidate([3,1]))==[1,3]\n'
     'assert sum(candidate([1,2]))==3\n'
     'assert 2 in candidate([1,2])\n'
     "assert ','.join(map(str,candidate([1,2])))=='1,2'",
     'def f(a): return map(int,a)\n'),
    ('range eq',
     'assert candidate(3)==range(3)\n'
     'assert list(candidate(3))==[0,1,2]',
     'def f(n): return range(n)\n'),
    ('unicode',
     "assert candidate('é')=='éÉ🎉'\n"
     "assert candidate('\\ud800')=='\\ud800\\uD800🎉'",
     "def f(s): return s+s.upper()+'🎉'\n"),
    ('bigint',
     'assert candidate(1000)==2**1000\n'
     'assert len(str(candidate(10000)))==3011',
     'def f(n): return 2**n\n'),
    ('bigint2',
     'assert candidate(10**30,3)==10**30*3\n'
     'assert candidate(-2**63,1)==-2**63\n'
     'assert candidate(2**63-1,1)==2**63-1',
     'def f(n,k): return n*k\n'),
    ('hugeint',
     'assert candidate(200000)%7==pow(3,200000,7)',
     'def f(n): return 3**n\n'),
    ('raises',
     'try:\n'
     '    candidate(-1)\n'
     '    assert False\n'
     'except ValueError as e:\n'
     "    assert 'neg' in str(e)\n"
     'else: assert False',
     'def f(n):\n'
     "    if n<0: raise ValueError('neg')\n"),
    ('raises keyerror',
     'try:\n'
     "    candidate('a')\n"
     'except KeyError as e:\n'
     "    assert e.args==('a',)\n"
     '    assert str(e)=="\'a\'"',
     'def f(k): return {}[k]\n'),
    ('raises custom sub',
     'try:\n'
     "    candidate('a')\n"
     'except ValueError: pass',
     'class E(ValueError): pass\n'
     'def f(k): raise E(1,2)\n'),
    ('kwargs',
     "assert candidate(1,b=2,*[],**{'c':3})==6",
     'def f(a,*,b=0,c=0): return a+b+c\n'),
    ('lambda arg',
     'assert candidate(lambda x:x+1,3)==4\n'
     "assert candidate(len,'abc')==3\n"
     "assert candidate(str,3)=='3'",
     'def f(g,x): return g(x)\n'),
    ('def arg',
     'def g(x): return x*2\n'
     'assert candidate(g,3)==6',
     'def f(g,x): return g(x)\n'),
    ('returns fn',
     'g=candidate(3)\n'
     'assert g(4)==7 and callable(g)',
     'def f(a): return lambda b:a+b\n'),
    ('inplace',
     'l=[3,1]\n'
     'candidate(l)\n'
     'assert l==[1,3]',
     'def f(l): l.sort()\n'),
    ('inplace nested',
     'l=[[3,1]]\n'
     'candidate(l)\n'
     'assert l==[[1,3]]\n'
     'm=l[0]\n'
     'candidate(l)\n'
     'assert m==[1,3]',
     'def f(l): l[0].sort()\n'),
    ('inplace dict',
     'd={1:[2]}\n'
     'candidate(d)\n'
     'assert d=={1:[2,3],4:5}',
     'def f(d): d[1].append(3); d[4]=5\n'),
    ('not identity',
     'l=[1]\n'
     'assert candidate(l) is not l and candidate(l)==l',
     'def f(l): return l[:]\n'),
    ('isNone',
     'assert candidate() is None\n'
     'assert candidate()==None',
     'def f(): pass\n'),
    ('isTrue',
     'assert candidate(1) is True\n'
     'assert candidate(0) is False\n'
     'assert candidate(1)==True\n'
     'assert type(candidate(1)) is bool',
     'def f(x): return bool(x)\n'),
    ('set of tuples',
     "assert candidate()=={(1,'a'),(2,frozenset([3]))}",
     "def f(): return {(1,'a'),(2,frozenset([3]))}\n"),
    ('bytes',
     "assert candidate(b'ab')==b'ba'\n"
     "assert candidate(bytearray(b'ab'))==b'ba'",
     'def f(b): return bytes(b[::-1])\n'),
    ('complexnum',
     'assert candidate(1j)==-1+0j',
     'def f(c): return c*c\n'),
    ('decimal',
     'from decimal import Decimal\n'
     "assert candidate('1.10')==Decimal('2.20')",
     'from decimal import Decimal\n'
     'def f(s): return Decimal(s)*2\n'),
    ('fraction',
     'from fractions import Fraction\n'
     'assert candidate(1,3)==Fraction(1,3)\n'
     'assert candidate(1,2)==0.5',
     'from fractions import Fraction\n'
     'def f(a,b): return Fraction(a,b)\n'),
    ('datetime',
     'import datetime\n'
     'assert candidate(2020)==datetime.date(2020,1,1)\n'
     'assert (candidate(2020)-datetime.date(2019,1,1)).days==365',
     'import datetime\n'
     'def f(y): return datetime.date(y,1,1)\n'),
    ('datetime tz',
     'import datetime\n'
     'assert candidate().tzinfo is not None\n'
     'assert candidate()==datetime.datetime(2020,1,1,tzinfo=datetime.timezone.utc)',
     'import datetime\n'
     'def f(): return datetime.datetime(2020,1,1,tzinfo=datetime.timezone.utc)\n'),
    ('enum',
     'assert candidate(1)==1',
     'import enum\n'
     'class E(enum.IntEnum):\n'
     '    A=1\n'
     'def f(x): return E(x)\n'),
    ('enum name',
     "assert candidate(1).name=='A'\n"
     'assert candidate(1).value==1',
     'import enum\n'
     'class E(enum.Enum):\n'
     '    A=1\n'
     'def f(x): return E(x)\n'),
    ('enum eq',
     'assert candidate(1)==E.A',
     'import enum\n'
     'class E(enum.Enum):\n'
     '    A=1\n'
     'def f(x): return E(x)\n'),
    ('regex',
     "assert candidate('a1').group()=='1'\n"
     "assert not candidate('b')",
     'import re\n'
     "def f(s): return re.search(r'\\d',s)\n"),
    ('uuid path',
     "assert str(candidate('a','b'))=='a/b'",
     'from pathlib import PurePosixPath as P\n'
     'def f(a,b): return P(a)/b\n'),
    ('class entry',
     's=candidate()\n'
     's.push(3)\n'
     's.push(4)\n'
     'assert s.pop()==4\n'
     'assert len(s)==1\n'
     'assert s.items==[3]\n'
     'assert bool(s)\n'
     'assert 3 in s\n'
     'assert s[0]==3\n'
     "assert str(s)=='S'\n"
     "assert repr(s)=='S!'\n"
     'assert [x for x in s]==[3]',
     'class f:\n'
     '    def __init__(s): s.items=[]\n'
     '    def push(s,x): s.items.append(x)\n'
     '    def pop(s): return s.items.pop()\n'
     '    def __len__(s): return len(s.items)\n'
     '    def __getitem__(s,i): return s.items[i]\n'
     "    def __str__(s): return 'S'\n"
     "    def __repr__(s): return 'S!'\n"),
    ('linkedlist',
     'h=candidate([1,2,3])\n'
     'r=[]\n'
     'while h:\n'
     '    r.append(h.val)\n'
     '    h=h.next\n'
     'assert r==[1,2,3]',
     'class N:\n'
     '    def __init__(s,v,n=None): s.val=v;s.next=n\n'
     'def f(l):\n'
     '    h=None\n'
     '    for x in reversed(l): h=N(x,h)\n'
     '    return h\n'),
    ('sys exit main',
     'assert candidate(1)==1',
     'import sys\n'
     'def f(x): return x\n'
     'def main():\n'
     '    print(f(int(input())))\n'
     "if __name__=='__main__':\n"
     '    main()\n'
     '    sys.exit(0)\n'),
    ('input at load',
     'assert candidate(1)==1',
     'try:\n'
     '    n=input()\n'
     'except EOFError:\n'
     "    n=''\n"
     'def f(x): return x\n'),
    ('crlf',
     'assert candidate(1)==2',
     'def f(x):\r\n'
     "    s='''a\r\n"
     "b'''\r\n"
     '    return x+1\r\n'),
    ('bigreturn',
     'assert len(candidate(10**6))==10**6\n'
     'assert sum(candidate(10**6))==10**6',
     'def f(n): return [1]*n\n'),
    ('random seed',
     'assert candidate(1)==candidate(1)',
     'import random\n'
     'def f(s):\n'
     '    random.seed(s); return random.random()\n'),
    ('bool in list',
     'assert candidate()==[True,1,1.0,None,...]',
     'def f(): return [True,1,1.0,None,...]\n'),
    ('memoryview',
     "assert bytes(candidate(b'ab'))==b'ab'",
     'def f(b): return memoryview(b)\n'),
    ('array',
     'assert list(candidate([1,2]))==[1,2]\n'
     'assert candidate([1,2])[1]==2',
     'from array import array\n'
     "def f(l): return array('i',l)\n"),
    ('deque',
     'from collections import deque\n'
     'assert candidate([1,2])==deque([1,2])\n'
     'assert list(candidate([1]))==[1]',
     'from collections import deque\n'
     'def f(l): return deque(l)\n'),
    ('userdict',
     "assert candidate()['a']==1 and dict(candidate())=={'a':1}",
     'from collections import UserDict\n'
     'def f(): return UserDict(a=1)\n'),
    ('strsub',
     "assert candidate()=='ab' and candidate()+'c'=='abc'",
     'class S(str): pass\n'
     "def f(): return S('ab')\n"),
    ('type ret',
     'assert candidate(3) is int\n'
     "assert candidate('')==str",
     'def f(x): return type(x)\n'),
    ('contains',
     'assert 2 in candidate([1, 2])\n'
     'assert 3 not in candidate([1, 2])\n'
     'assert "b" in candidate({"b": 1})',
     'def f(x):\n'
     '    return iter(x)\n'),
    ('exception text',
     'try:\n'
     '    candidate()\n'
     '    assert False\n'
     'except LookupError as e:\n'
     '    assert str(e) == "no key"',
     'class Missing(LookupError):\n'
     '    def __str__(self):\n'
     '        return "no key"\n'
     'def f():\n'
     '    raise Missing("x", object())\n'),
]

NOT_MET = [
    ('objects of its own are equal',
     'assert candidate(3) == candidate(3)',
     'class A:\n'
     '    def __init__(self, x): self.x = x\n'
     '    def __eq__(self, other): return self.x == other.x\n'
     'def f(x): return A(x)\n'),
    ('fields of a tuple',
     'assert candidate(3).x == 3',
     'from collections import namedtuple\n'
     'def f(x): return namedtuple("P", "x y")(x, x)\n'),
    ('a closure',
     'k = 5\n'
     'assert candidate(lambda x: x + k, 3) == 8',
     'def f(g, x): return g(x)\n'),
    ('the argument itself',
     'x = [1]\n'
     'assert candidate(x) is x',
     'def f(x): return x\n'),
    ('operators of its own objects',
     'assert (candidate(1) + candidate(2)).x == 3',
     'class A:\n'
     '    def __init__(self, x): self.x = x\n'
     '    def __add__(self, other): return A(self.x + other.x)\n'
     'def f(x): return A(x)\n'),
    ('what it prints',
     'import contextlib, io\n'
     'out = io.StringIO()\n'
     'with contextlib.redirect_stdout(out):\n'
     '    candidate()\n'
     'assert out.getvalue() == "1\\n"',
     'def f(): print(1)\n'),
]


def judge(cwm, folder, rows, *options):
    """{name: verdict}"""
    problems = folder / "problems.jsonl"
    samples = folder / "samples.jsonl"
    with open(problems, "w", encoding="utf-8") as file:
        for name, tests, _ in rows:
            body = "".join(f"    {line}\n" for line in tests.split("\n"))
            file.write(json.dumps(
                {"task_id": name, "prompt": "", "entry_point": "f",
                 "canonical_solution": "",
                 "test": f"def check(candidate):\n{body}"}) + "\n")
    with open(samples, "w", encoding="utf-8") as file:
        for name, _, program in rows:
            file.write(json.dumps({"task_id": name, "solution": program}) +
                       "\n")
    done = subprocess.run(
        [cwm, "eval", "passk", "--problems", problems, "--samples", samples,
         "--each", "--json", *options],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cwm eval passk: {done.returncode}\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    return {line["task_id"]: line["verdict"] for line in lines}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    cwm = parser.parse_args().cwm.resolve()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for how in [], ["--compat"]:
            right = RIGHT + (NOT_MET if how else [])
            verdicts = judge(cwm, folder, right, *how)
            for name, verdict in verdicts.items():
                if verdict != "pass":
                    print(f"{name}: {verdict} {how}")
                    wrong += 1
            if len(verdicts) != len(right):
                print(f"{len(right)} programs, {len(verdicts)} verdicts {how}")
                wrong += 1
        for name, verdict in judge(cwm, folder, NOT_MET).items():
            if verdict not in ("fail", "error"):
                print(f"{name}: {verdict}, and is said not to be met")
                wrong += 1
    print(f"{len(RIGHT)} right programs, {len(NOT_MET)} not met, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
