/* SPDX-License-Identifier: GPL-2.0 */
/* The mock and the userspace data path: the rules of dp/dp.h that both keep, and that the mock sees who breaks them. */
#include <errno.h>

#include "dp/mock.h"
#include "dp/node.h"
#include "lib/tap.h"

static struct tp_flow flow_of(enum tp_flow_kind kind, const char *peer, uint16_t channel)
{
	struct tp_flow f = { .kind = kind, .channel = channel, .id = 7 };

	tp_addr_parse("198.51.100.1:5000", &f.tuple.client);
	tp_addr_parse("192.0.2.1:3478", &f.tuple.server);
	tp_addr_parse("192.0.2.1:50000", &f.relayed);
	tp_addr_parse(peer, &f.peer);
	return f;
}

static tp_flow_id add(struct tp_dp *dp, const struct tp_flow *flow, const struct tp_flow_life *life)
{
	tp_flow_id id = 0;

	return dp->ops->add(dp, flow, life, &id) ? 0 : id;
}

static void test_find(void)
{
	struct tp_dp *dp = tp_dp_mock_new();
	struct tp_flow channel = flow_of(TP_DP_CHANNEL, "203.0.113.5:4000", 0x4001);
	struct tp_flow other = flow_of(TP_DP_CHANNEL, "203.0.113.5:4001", 0x4002);
	struct tp_flow permission = flow_of(TP_DP_PERMISSION, "203.0.113.5", 0);
	struct tp_flow_life life = { 1, 2, 3, 4 };
	tp_flow_id a = add(dp, &channel, &life), b = add(dp, &other, &life), c = add(dp, &permission, &life);

	check(a && b && c && a != b && b != c, "handles are not 0 and differ");
	check_eq(tp_dp_mock_count(dp, 0), 3, "three flows");
	check_eq(tp_dp_mock_count(dp, TP_DP_CHANNEL), 2, "two channels");
	check_eq(tp_dp_mock_find(dp, TP_DP_CHANNEL, &other.peer, 0), b, "a channel is found by peer and port");
	check_eq(tp_dp_mock_find(dp, 0, NULL, 0x4002), b, "and by number");
	check_eq(tp_dp_mock_find(dp, TP_DP_PERMISSION, &other.peer, 0), c, "a permission by the address alone");
	check_eq(tp_dp_mock_find(dp, TP_DP_SEND, NULL, 0), 0, "what is not there is not found");
	life.down_ns = 99;
	dp->ops->set_life(dp, c, &life);
	check_eq(tp_dp_mock_life(dp, c)->down_ns, 99, "the life is the last one set");
	check_eq(tp_dp_mock_life(dp, a)->down_ns, 2, "of that flow only");
	check_eq(tp_dp_mock_flow(dp, b)->peer.port, 4001, "the flow is kept as given");
	check_eq(tp_dp_mock_misused(dp), 0, "nothing was misused");
	dp->ops->close(dp);
}

static void test_removal(void)
{
	struct tp_dp *dp = tp_dp_mock_new();
	struct tp_flow f = flow_of(TP_DP_SEND, "203.0.113.5", 0);
	struct tp_flow_life life = { 0 };
	struct tp_flow_traffic t = { .up = { .packets = 5, .bytes = 500 } }, got;
	tp_flow_id id = add(dp, &f, &life);
	uint64_t ticket;

	tp_dp_mock_set_traffic(dp, id, &t);
	dp->ops->read(dp, id, &got);
	check_eq(got.up.packets, 5, "counters as scripted");
	tp_dp_mock_hold(dp, true);
	ticket = dp->ops->remove(dp, id);
	check(!dp->ops->settled(dp, ticket), "a held grace period does not pass");
	check_eq(tp_dp_mock_count(dp, 0), 0, "a removed flow is not live");
	check_eq(tp_dp_mock_removed(dp), 1, "but waits for its harvest");
	tp_dp_mock_hold(dp, false);
	check(dp->ops->settled(dp, ticket), "released, it has passed");
	dp->ops->harvest(dp, id, &got);
	check_eq(got.up.bytes, 500, "the harvest has the last counters");
	check_eq(tp_dp_mock_removed(dp), 0, "and frees the handle");
	check_eq(tp_dp_mock_misused(dp), 0, "nothing was misused");
	check_eq(add(dp, &f, &life), id, "a free handle is used again");
	dp->ops->read(dp, id, &got);
	check_eq(got.up.packets, 0, "with counters at zero");
	dp->ops->close(dp);
}

static void test_misuse(void)
{
	struct tp_dp *dp = tp_dp_mock_new();
	struct tp_flow f = flow_of(TP_DP_SEND, "203.0.113.5", 0);
	struct tp_flow_life life = { 0 };
	struct tp_flow_traffic got;
	tp_flow_id id;
	uint32_t police;

	check_eq(dp->ops->police_add(dp, 1000000, &police), 0, "a bucket");
	f.police = police;
	id = add(dp, &f, &life);
	dp->ops->police_free(dp, police);
	check_eq(tp_dp_mock_misused(dp), 1, "freeing a bucket that a flow names is misuse");
	tp_dp_mock_hold(dp, true);
	dp->ops->remove(dp, id);
	dp->ops->harvest(dp, id, &got);
	check_eq(tp_dp_mock_misused(dp), 2, "so is a harvest before the grace period");
	dp->ops->set_life(dp, id, &life);
	check_eq(tp_dp_mock_misused(dp), 3, "and a handle that is free");
	dp->ops->set_life(dp, 0, &life);
	dp->ops->read(dp, 0, &got);
	dp->ops->remove(dp, 0);
	dp->ops->harvest(dp, 0, &got);
	check_eq(tp_dp_mock_misused(dp), 3, "handle 0 is everywhere a no-op");
	dp->ops->close(dp);
}

static void test_failures(void)
{
	struct tp_dp *dp = tp_dp_mock_new();
	struct tp_flow f = flow_of(TP_DP_PERMISSION, "203.0.113.5", 0);
	struct tp_flow_life life = { 0 };
	tp_flow_id id = 42;

	tp_dp_mock_fail_add(dp, -ENOSPC, 1);
	check_eq(dp->ops->add(dp, &f, &life, &id), -ENOSPC, "an add fails when told to");
	check_eq(id, 42, "and leaves its output alone");
	check_eq(dp->ops->add(dp, &f, &life, &id), 0, "the next one does not");
	f.tuple.transport = TP_TLS;
	check_eq(dp->ops->add(dp, &f, &life, &id), 0, "a stream client's flow is no error");
	check_eq(id, 0, "but is not accelerated");
	dp->ops->close(dp);
}

static void test_user(void)
{
	struct tp_dp *dp = tp_dp_user_new();
	struct tp_flow f = flow_of(TP_DP_PERMISSION, "203.0.113.5", 0);
	struct tp_flow_life life = { 0 };
	struct tp_flow_traffic got = { .up = { .packets = 1 } };
	struct tp_dp_totals totals;
	tp_flow_id id = 42;
	uint32_t police = 42;

	check_eq(dp->ops->add(dp, &f, &life, &id), 0, "user: adds nothing, without an error");
	check_eq(id, 0, "user: handle 0");
	dp->ops->read(dp, id, &got);
	check_eq(got.up.packets, 0, "user: counts nothing");
	check(dp->ops->settled(dp, dp->ops->remove(dp, id)), "user: every grace period has passed");
	check_eq(dp->ops->police_add(dp, 5, &police), 0, "user: a bucket");
	check_eq(police, 0, "user: is none");
	tp_dp_beat(dp);
	check_eq(tp_dp_fd(dp), -1, "user: nothing to poll");
	tp_dp_report_totals(dp, &totals);
	check(!strcmp(totals.backend, "user") && !totals.flows_max, "user: reports its name and no room");
	dp->ops->close(dp);
}

static void test_clock(void)
{
	uint64_t a = tp_dp_now_ns(), b;

	b = tp_dp_now_ns();
	check(a && b >= a, "the clock does not run backwards");
}

int main(void)
{
	test_find();
	test_removal();
	test_misuse();
	test_failures();
	test_user();
	test_clock();
	return done();
}
