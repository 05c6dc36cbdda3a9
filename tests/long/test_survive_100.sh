#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1800
# As tests/netns/test_survive.sh with a hundred kills of each data path, at 1,000 packets a second (ruling 22).
exec "$(dirname "$0")/../netns/test_survive.sh" 100 20 500
