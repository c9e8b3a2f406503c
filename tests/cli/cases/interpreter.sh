#!/bin/sh
# SPDX-License-Identifier: MIT
# The interpreter that is asked for, or a line that says why not.
printf 'def f():\n    import sys\n    return sys.version_info[:2]\n' >p.py
version=$(cwm check --json | sed 's/.*"pythons": [[]{"version": "\([0-9]*[.][0-9]*\).*/\1/')
cwm trace p.py --entry f --python "$version" --json |
    grep -c "\"python\": \"$version"
cwm trace p.py --entry f --python 3.2 2>&1 >out.txt | sed 's/there are: .*/.../'
printf '#!/bin/sh\necho hello\n' >fake
chmod +x fake
cwm trace p.py --entry f --python ./fake 2>&1
echo "-> $?"

echo "# a virtual environment's packages"
folder=$(mktemp -d /var/tmp/cwm-venv.XXXXXX) || exit 77
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 -m venv --without-pip "$folder" 2>err.txt || {
    /usr/bin/python3 -c 'import venv, sys; venv.create(sys.argv[1])' "$folder"
}
site=$(echo "$folder"/lib/python3*/site-packages)
echo 'def hi(): return "from the environment"' >"$site/mine.py"
printf 'import mine\nprint(mine.hi())\n' >v.py
cwm trace v.py --python "$folder/bin/python" --json |
    sed 's/.*\("stdout": "[^"]*"\).*/\1/'
cwm trace v.py --json | sed 's/.*\("verdict": "[^"]*"\).*/\1/'
