#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 180
# A live call that moves (RFC 8016), ends, is killed, limited, or loses its user or its peer: the kernel follows at once.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
ns_for_xdp
RELAY_EXTRA=(mobility user=temp:secret2)
ok "turnpiked starts with datapath=xdp" relay_start --datapath=xdp || finish
tap_from "$PYTHON" "$TOP/tests/netns/followed.py" "$WORK/turnpiked.conf"
ok "turnpiked ends, nothing is left" relay_stop
finish
