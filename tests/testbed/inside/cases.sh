# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Cases of suites that are scripts, printed in cmocka's form. A suite ends with: exit $failed

failed=0

# Each case is a shell of its own, which ends with the first command that fails. (Not below "if" or "&&": there
# bash would go on.)
check() { # NAME COMMAND...
    local name=$1 started=$SECONDS status
    shift
    echo "[ RUN      ] $name"
    set +e
    (set -e; "$@")
    status=$?
    echo "$name took $((SECONDS - started)) s"
    if [ $status = 0 ]; then
        echo "[       OK ] $name"
    else
        echo "[  FAILED  ] $name"
        failed=1
    fi
}

# A case without which the rest would make no sense.
need() { # NAME COMMAND...
    check "$@"
    [ $failed = 0 ] || exit $failed
}

# For a case: says what it saw, and fails unless it is what was wanted.
expect() { # WHAT SEEN WANTED
    if [ "$2" = "$3" ]; then
        echo "$1 is $2"
    else
        echo "$1 is \"$2\", not \"$3\""
        return 1
    fi
}

expect_text() { # WHAT TEXT PART
    [[ $2 == *"$3"* ]] || { printf '%s lacks "%s":\n%s\n' "$1" "$3" "$2"; return 1; }
}
