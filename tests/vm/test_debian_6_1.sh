#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 420
# The programs load and pass the fixtures on Debian's 6.1 kernel, and relay a short call there.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

vm_run 6.1
