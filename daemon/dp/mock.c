/* SPDX-License-Identifier: GPL-2.0 */
/* A data path that remembers what it was told, for tests of the engine without root. See dp/mock.h. */
#include "dp/mock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "turnpike/abi.h"

#define MOCK_POLICES 4096

enum mock_state { MOCK_FREE, MOCK_LIVE, MOCK_REMOVED };

struct mock_flow {
	enum mock_state state;
	struct tp_flow flow;
	struct tp_flow_life life;
	struct tp_flow_traffic traffic;
	uint64_t ticket;
	bool kept;		/* of an earlier daemon, not adopted yet */
};

struct mock {
	struct tp_dp dp;
	struct mock_flow *flows;	/* [id - 1] */
	size_t flows_len, flows_size;
	uint64_t police_bps[MOCK_POLICES];	/* [police - 1]; 0 is free */
	size_t misused;
	int add_error;
	unsigned int add_errors;
	uint64_t tickets, settled;
	bool hold;
	struct tp_keep *keeps;
	size_t keeps_len;
};

static struct mock *mock_of(struct tp_dp *dp)
{
	return (struct mock *)dp;
}

static struct mock_flow *mock_get(struct mock *m, tp_flow_id id, enum mock_state state)
{
	if (id && id <= m->flows_len && m->flows[id - 1].state == state)
		return &m->flows[id - 1];
	return NULL;
}

static struct mock_flow *mock_used(struct mock *m, tp_flow_id id)
{
	struct mock_flow *f = mock_get(m, id, MOCK_LIVE);

	return f ? f : mock_get(m, id, MOCK_REMOVED);
}

static struct mock_flow *mock_reserve(struct mock *m)
{
	struct mock_flow *flows;
	size_t size;

	for (size_t i = 0; i < m->flows_len; i++)
		if (m->flows[i].state == MOCK_FREE)
			return &m->flows[i];
	if (m->flows_len == TP_DP_MOCK_FLOWS)
		return NULL;
	if (m->flows_len == m->flows_size) {
		size = m->flows_size ? m->flows_size * 2 : 64;
		flows = realloc(m->flows, size * sizeof(*flows));
		if (!flows)
			return NULL;
		m->flows = flows;
		m->flows_size = size;
	}
	return &m->flows[m->flows_len++];
}

static int mock_add(struct tp_dp *dp, const struct tp_flow *flow, const struct tp_flow_life *life, tp_flow_id *ret_id)
{
	struct mock *m = mock_of(dp);
	struct mock_flow *f;

	if (m->add_errors) {
		m->add_errors--;
		return m->add_error;
	}
	if (flow->tuple.transport != TP_UDP) {
		*ret_id = 0;
		return 0;
	}
	f = mock_reserve(m);
	if (!f)
		return -ENOSPC;
	*f = (struct mock_flow){ .state = MOCK_LIVE, .flow = *flow, .life = *life };
	*ret_id = (tp_flow_id)(f - m->flows) + 1;
	return 0;
}

static void mock_set_life(struct tp_dp *dp, tp_flow_id id, const struct tp_flow_life *life)
{
	struct mock *m = mock_of(dp);
	struct mock_flow *f = mock_get(m, id, MOCK_LIVE);

	if (f)
		f->life = *life;
	else if (id)
		m->misused++;
}

static void mock_read(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret)
{
	struct mock *m = mock_of(dp);
	struct mock_flow *f = mock_used(m, id);

	*ret = f ? f->traffic : (struct tp_flow_traffic){ 0 };
	if (id && !f)
		m->misused++;
}

static uint64_t mock_remove(struct tp_dp *dp, tp_flow_id id)
{
	struct mock *m = mock_of(dp);
	struct mock_flow *f = mock_get(m, id, MOCK_LIVE);

	if (!f) {
		m->misused += id != 0;
		return 0;
	}
	f->state = MOCK_REMOVED;
	f->ticket = ++m->tickets;
	if (!m->hold)
		m->settled = m->tickets;
	return f->ticket;
}

static bool mock_settled(struct tp_dp *dp, uint64_t ticket)
{
	return ticket <= mock_of(dp)->settled;
}

static void mock_harvest(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret)
{
	struct mock *m = mock_of(dp);
	struct mock_flow *f = mock_get(m, id, MOCK_REMOVED);

	*ret = (struct tp_flow_traffic){ 0 };
	if (!f) {
		m->misused += id != 0;
		return;
	}
	m->misused += f->ticket > m->settled;
	*ret = f->traffic;
	f->state = MOCK_FREE;
}

static int mock_police_add(struct tp_dp *dp, uint64_t max_bps, uint32_t *ret_police)
{
	struct mock *m = mock_of(dp);

	m->misused += !max_bps;
	for (uint32_t i = 0; i < MOCK_POLICES; i++) {
		if (!m->police_bps[i]) {
			m->police_bps[i] = max_bps;
			*ret_police = i + 1;
			return 0;
		}
	}
	return -ENOSPC;
}

static void mock_police_set(struct tp_dp *dp, uint32_t police, uint64_t max_bps)
{
	struct mock *m = mock_of(dp);

	if (!police)
		return;
	if (!max_bps || !tp_dp_mock_police_bps(dp, police))
		m->misused++;
	else
		m->police_bps[police - 1] = max_bps;
}

/* A bucket outlives every flow that names it. */
static void mock_police_free(struct tp_dp *dp, uint32_t police)
{
	struct mock *m = mock_of(dp);

	if (!police)
		return;
	if (!tp_dp_mock_police_bps(dp, police)) {
		m->misused++;
		return;
	}
	for (size_t i = 0; i < m->flows_len; i++)
		m->misused += m->flows[i].state != MOCK_FREE && m->flows[i].flow.police == police;
	m->police_bps[police - 1] = 0;
}

static void mock_close(struct tp_dp *dp)
{
	struct mock *m = mock_of(dp);

	free(m->flows);
	free(m->keeps);
	free(m);
}

static struct tp_keep *mock_keep_find(struct mock *m, uint64_t id)
{
	for (size_t i = 0; i < m->keeps_len; i++)
		if (m->keeps[i].who.id == id)
			return &m->keeps[i];
	return NULL;
}

static int mock_keep(struct tp_dp *dp, const struct tp_keep *keep)
{
	struct mock *m = mock_of(dp);
	struct tp_keep *to = mock_keep_find(m, keep->who.id), *keeps;

	if (!to) {
		keeps = realloc(m->keeps, (m->keeps_len + 1) * sizeof(*keeps));
		if (!keeps)
			return -ENOMEM;
		m->keeps = keeps;
		to = &keeps[m->keeps_len++];
	}
	*to = *keep;
	return 0;
}

static void mock_forget(struct tp_dp *dp, uint64_t id)
{
	struct mock *m = mock_of(dp);
	struct tp_keep *keep = mock_keep_find(m, id);

	if (keep)
		*keep = m->keeps[--m->keeps_len];
}

/* Buckets are their rules' alone: those of no flow did not outlive their daemon. */
static void mock_polices_restart(struct mock *m)
{
	bool used[MOCK_POLICES] = { false };

	for (size_t i = 0; i < m->flows_len; i++)
		if (m->flows[i].kept && m->flows[i].flow.police)
			used[m->flows[i].flow.police - 1] = true;
	for (size_t i = 0; i < MOCK_POLICES; i++)
		if (!used[i])
			m->police_bps[i] = 0;
}

/* Backwards: fn may forget the one that it is given. */
static void mock_kept(struct tp_dp *dp, tp_dp_kept_fn fn, void *arg)
{
	struct mock *m = mock_of(dp);
	struct tp_keep keep;

	for (size_t i = 0; i < m->flows_len; i++) {
		m->flows[i].kept = m->flows[i].state == MOCK_LIVE;
		/* Removed, and nobody is left to harvest it. */
		if (m->flows[i].state == MOCK_REMOVED)
			m->flows[i].state = MOCK_FREE;
	}
	mock_polices_restart(m);
	for (size_t i = m->keeps_len; i-- > 0;) {
		keep = m->keeps[i];
		if (!fn(arg, &keep))
			return;
	}
}

static void mock_kept_flows(struct tp_dp *dp, uint64_t id, tp_dp_kept_flow_fn fn, void *arg)
{
	struct mock *m = mock_of(dp);
	struct mock_flow flow;

	for (size_t i = 0; i < m->flows_len; i++) {
		flow = m->flows[i];
		if (flow.kept && flow.flow.id == id)
			fn(arg, (tp_flow_id)i + 1, &flow.flow, &flow.life);
	}
}

static void mock_adopt(struct tp_dp *dp, tp_flow_id id)
{
	struct mock *m = mock_of(dp);
	struct mock_flow *f = mock_get(m, id, MOCK_LIVE);

	m->misused += !f || !f->kept;
	if (f)
		f->kept = false;
}

static size_t mock_sweep(struct tp_dp *dp)
{
	struct mock *m = mock_of(dp);
	size_t swept = 0;

	for (size_t i = 0; i < m->flows_len; i++) {
		if (!m->flows[i].kept)
			continue;
		m->flows[i] = (struct mock_flow){ .state = MOCK_FREE };
		swept++;
	}
	return swept;
}

static const struct tp_dp_ops mock_ops = {
	.name = "mock",
	.add = mock_add,
	.set_life = mock_set_life,
	.read = mock_read,
	.remove = mock_remove,
	.settled = mock_settled,
	.harvest = mock_harvest,
	.police_add = mock_police_add,
	.police_set = mock_police_set,
	.police_free = mock_police_free,
	.keep = mock_keep,
	.forget = mock_forget,
	.kept = mock_kept,
	.kept_flows = mock_kept_flows,
	.adopt = mock_adopt,
	.sweep = mock_sweep,
	.close = mock_close,
};

struct tp_dp *tp_dp_mock_new(void)
{
	struct mock *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->dp.ops = &mock_ops;
	return &m->dp;
}

static size_t mock_count_state(struct mock *m, enum mock_state state, unsigned int kind)
{
	size_t n = 0;

	for (size_t i = 0; i < m->flows_len; i++)
		n += m->flows[i].state == state && (!kind || m->flows[i].flow.kind == kind);
	return n;
}

size_t tp_dp_mock_count(struct tp_dp *dp, unsigned int kind)
{
	return mock_count_state(mock_of(dp), MOCK_LIVE, kind);
}

size_t tp_dp_mock_removed(struct tp_dp *dp)
{
	return mock_count_state(mock_of(dp), MOCK_REMOVED, 0);
}

size_t tp_dp_mock_polices(struct tp_dp *dp)
{
	size_t n = 0;

	for (size_t i = 0; i < MOCK_POLICES; i++)
		n += mock_of(dp)->police_bps[i] != 0;
	return n;
}

size_t tp_dp_mock_misused(struct tp_dp *dp)
{
	return mock_of(dp)->misused;
}

tp_flow_id tp_dp_mock_find(struct tp_dp *dp, unsigned int kind, const struct tp_addr *peer, uint16_t channel)
{
	struct mock *m = mock_of(dp);

	for (size_t i = 0; i < m->flows_len; i++) {
		const struct tp_flow *f = &m->flows[i].flow;

		if (m->flows[i].state != MOCK_LIVE || (kind && f->kind != kind) || (channel && f->channel != channel))
			continue;
		if (peer && f->kind == TP_DP_CHANNEL && f->peer.port != peer->port)
			continue;
		if (peer && !tp_addr_same_ip(&f->peer, peer))
			continue;
		return (tp_flow_id)i + 1;
	}
	return 0;
}

const struct tp_flow *tp_dp_mock_flow(struct tp_dp *dp, tp_flow_id id)
{
	struct mock_flow *f = mock_used(mock_of(dp), id);

	return f ? &f->flow : NULL;
}

const struct tp_flow_life *tp_dp_mock_life(struct tp_dp *dp, tp_flow_id id)
{
	struct mock_flow *f = mock_used(mock_of(dp), id);

	return f ? &f->life : NULL;
}

uint64_t tp_dp_mock_police_bps(struct tp_dp *dp, uint32_t police)
{
	return police && police <= MOCK_POLICES ? mock_of(dp)->police_bps[police - 1] : 0;
}

void tp_dp_mock_set_traffic(struct tp_dp *dp, tp_flow_id id, const struct tp_flow_traffic *traffic)
{
	struct mock_flow *f = mock_used(mock_of(dp), id);

	if (f)
		f->traffic = *traffic;
	else
		mock_of(dp)->misused++;
}

void tp_dp_mock_fail_add(struct tp_dp *dp, int error, unsigned int times)
{
	mock_of(dp)->add_error = error;
	mock_of(dp)->add_errors = times;
}

void tp_dp_mock_hold(struct tp_dp *dp, bool hold)
{
	struct mock *m = mock_of(dp);

	m->hold = hold;
	if (!hold)
		m->settled = m->tickets;
}

size_t tp_dp_mock_keeps(struct tp_dp *dp)
{
	return mock_of(dp)->keeps_len;
}

struct tp_keep *tp_dp_mock_keep(struct tp_dp *dp, size_t index)
{
	return index < mock_of(dp)->keeps_len ? &mock_of(dp)->keeps[index] : NULL;
}
