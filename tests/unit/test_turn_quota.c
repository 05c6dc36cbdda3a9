/* SPDX-License-Identifier: GPL-2.0 */
/* user-quota, total-quota, max-allocations, max-bps, bps-capacity: RFC 8656 sections 5 and 7.2 point 10. */
#include <openssl/hmac.h>

#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c[6];

static void begin(void)
{
	char text[32];

	bench_start(&b);
	for (unsigned int i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "198.51.100.%u:40000", i + 1);
		client_init(&c[i], &b, text);
	}
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_user(void)
{
	struct message m;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.user_quota = 2;
	begin();
	check(allocate(&c[0]) == 0 && allocate(&c[1]) == 0, "as many allocations as user-quota");
	check_eq(allocate(&c[2]), 486, "8656 7.2 point 10: one more of the user is 486");
	check_eq(bench_counters(&b).quota_reached, 1, "and counted");
	c[3].user = "bob";
	c[3].password = "builder";
	check_eq(allocate(&c[3]), 0, "8656 7.2 point 10: the quota goes by the user, not by the address");
	tp_dp_mock_hold(b.dp, true);
	refresh(&c[0], 0);
	bench_tick(&b);
	check_eq(allocate(&c[2]), 486, "8656 7.2 point 10: an allocation is charged until its resources are free");
	tp_dp_mock_hold(b.dp, false);
	bench_tick(&b);
	check_eq(allocate(&c[2]), 0, "and no longer");
	refresh(&c[1], 0);
	bench_tick(&b);
	allocate_begin(&m, &c[4]);
	tp_stun_put(&m.w, TP_STUN_ATTR_EVEN_PORT, "\x80", 1);
	check_eq(message_send(&m), 486, "a reservation is charged like an allocation");
	check_eq(b.opened - b.closed, 2, "and one that is refused leaves nothing open");
	end("user-quota");
}

/* The password of a REST name: base64 of HMAC-SHA1 over it. */
static void rest_password(const char *secret, const char *name, char ret[32])
{
	unsigned char mac[20];
	unsigned int size = sizeof(mac);

	HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)name, strlen(name), mac, &size);
	EVP_EncodeBlock((unsigned char *)ret, mac, (int)size);
}

static void test_rest(void)
{
	static char *secret = (char *)"north";
	static const char *const names[] = { "1800003600:carol", "1800007200:carol", "1800003600:dave" };
	static char passwords[3][32];

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.use_auth_secret = true;
	b.conf.static_auth_secret = (struct tp_list){ &secret, 1 };
	b.conf.user_quota = 1;
	begin();
	for (unsigned int i = 0; i < 3; i++) {
		rest_password(secret, names[i], passwords[i]);
		c[i].user = names[i];
		c[i].password = passwords[i];
	}
	check_eq(allocate(&c[0]), 0, "a REST name");
	check_eq(allocate(&c[1]), 486, "the same user's next REST name is no new quota");
	check_eq(allocate(&c[2]), 0, "another user's is");
	check_eq(tp_turn_kill(b.turn[0], 0, "carol", &b.now), 1, "it can be ended by the user's own name");
	end("REST names");
}

static void test_total(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.total_quota = 2;
	begin();
	c[1].user = "bob";
	c[1].password = "builder";
	check(allocate(&c[0]) == 0 && allocate(&c[1]) == 0, "as many allocations as total-quota");
	check_eq(allocate(&c[2]), 486, "total-quota: one more of anybody is 486");
	c[2].worker = 1;
	check_eq(allocate(&c[2]), 486, "on any worker");
	end("total-quota");

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.max_allocations = 2;
	begin();
	check(allocate(&c[0]) == 0 && allocate(&c[1]) == 0, "as many allocations as max-allocations");
	check_eq(allocate(&c[2]), 508, "max-allocations: one more is insufficient capacity");
	check_eq(bench_counters(&b).capacity_reached, 1, "and counted");
	end("max-allocations");
}

static void test_bps(void)
{
	const struct tp_flow *f;
	char kilobyte[513];
	unsigned int sent = 0;
	struct tp_conf conf;

	memset(kilobyte, 'x', 512);
	kilobyte[512] = 0;
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.max_bps = 10240;
	begin();
	allocate(&c[0]);
	permit(&c[0], "203.0.113.1");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_SEND, NULL, 0));
	check(f && tp_dp_mock_police_bps(b.dp, f->police) == 8 * 10240,
	      "max-bps, in bytes per second, is told to the data path in bits");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_PERMISSION, NULL, 0));
	check(f && f->police, "for every flow of the allocation");
	for (int i = 0; i < 100; i++)
		sent += send_indication(&c[0], "203.0.113.1:1", kilobyte);
	check_eq(sent, 10, "8656 5: userspace drops what exceeds it, after half a second's worth");
	check_eq(bench_counters(&b).policed, 90, "and counts it");
	bench_advance(&b, BENCH_S / 2);
	sent = 0;
	for (int i = 0; i < 100; i++)
		sent += send_indication(&c[0], "203.0.113.1:1", kilobyte);
	check_eq(sent, 10, "and relays on at the rate");
	conf = b.conf;
	conf.max_bps = 5120;
	bench_reload(&b, &conf);
	check_eq(tp_dp_mock_police_bps(b.dp, f->police), 8 * 5120, "a reload changes the data path's rate at once");
	sent = 0;
	for (int i = 0; i < 100; i++)
		sent += send_indication(&c[0], "203.0.113.1:1", kilobyte);
	check_eq(sent, 5, "and userspace's, at which 3000 bytes are let through in any case");
	end("max-bps");
}

static void test_bps_from_none(void)
{
	const struct tp_flow *f;
	struct tp_conf conf, none;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	begin();
	allocate(&c[0]);
	bind_channel(&c[0], 0x4000, "203.0.113.1:1");
	check_eq(tp_dp_mock_polices(b.dp), 0, "without max-bps there is no bucket");
	conf = b.conf;
	conf.max_bps = 1000;
	bench_reload(&b, &conf);
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, NULL, 0x4000));
	check(f && tp_dp_mock_police_bps(b.dp, f->police) == 8000, "a reload that limits is followed by live flows");
	none = b.conf;
	bench_reload(&b, &none);
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, NULL, 0x4000));
	check(f && (!f->police || tp_dp_mock_police_bps(b.dp, f->police) > 1000000000),
	      "and one that lifts the limit too");
	end("max-bps by reload");
}

/* Limits that a user store has for one realm (coturn's turn_realm_option). */
static void test_realm(void)
{
	static const char *const none[] = { "example.org", "other.org" };
	struct tp_conf conf;
	const struct tp_flow *f;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.user_quota = 5;
	b.conf.total_quota = 5;
	check_eq(tp_conf_add_realm_option(&b.conf, none[0], "user-quota", "1"), 0, "a realm's own user-quota");
	check_eq(tp_conf_add_realm_option(&b.conf, none[1], "total-quota", "1"), 0, "another realm's total-quota");
	begin();
	c[1].user = "bob";
	c[1].password = "builder";
	check_eq(allocate(&c[0]), 0, "one allocation");
	check_eq(allocate(&c[2]), 486, "a realm's user-quota is for its users");
	check_eq(allocate(&c[1]), 0, "another realm's total-quota is not");
	bind_channel(&c[0], 0x4000, "203.0.113.1:1");
	conf = b.conf;
	conf.realm_limits = NULL;
	conf.realm_limits_len = 0;
	check_eq(tp_conf_add_realm_option(&conf, none[0], "max-bps", "1000"), 0, "a realm's max-bps");
	check_eq(tp_conf_add_realm_option(&conf, none[0], "total-quota", "3"), 0, "and total-quota");
	bench_reload(&b, &conf);
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, NULL, 0x4000));
	check(f && tp_dp_mock_police_bps(b.dp, f->police) == 8000, "live calls follow a realm's max-bps");
	check(allocate(&c[2]) == 0 && allocate(&c[3]) == 486, "and the realm's quotas hold at once");
	end("realm options");
	for (size_t i = 0; i < b.conf.realm_limits_len; i++)
		free(b.conf.realm_limits[i].realm);
	free(b.conf.realm_limits);
	free(conf.realm_limits[0].realm);
	free(conf.realm_limits);
}

/* A farm that the test holds in its hand. */
static int farm_says;
static unsigned int farm_taken, farm_asked, kept;
static uint8_t kept_data[2048];
static size_t kept_size;

static int farm_take(struct tp_shares *shares, const char *realm, const struct tp_account *account,
		     const struct tp_limits *limits, void **ret_share)
{
	farm_asked++;
	if (strcmp(realm, "example.org") != 0 || account->size != 5 || limits->user_quota != 3)
		return -EINVAL;
	farm_taken += farm_says == 0;
	*ret_share = &farm_taken;
	return farm_says;
}

static void farm_give(struct tp_shares *shares, void *share)
{
	farm_taken -= share == &farm_taken;
}

static void keep(struct tp_turn_io *io, const struct tp_path *path, const void *data, size_t size)
{
	kept++;
	kept_size = size;
	memcpy(kept_data, data, size);
}

static void test_farm(void)
{
	static struct tp_shares farm = { farm_take, farm_give };

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.user_quota = 3;
	b.conf.max_allocations = 1;
	begin();
	tp_registry_set_shares(b.registry, &farm);
	for (unsigned int i = 0; i < BENCH_WORKERS; i++)
		b.io[i].io.later = keep;
	farm_says = -EINPROGRESS;
	check(allocate(&c[0]) == -1 && kept == 1, "an Allocate that the farm has to be asked about is kept, not answered");
	farm_says = 0;
	check_eq(send_raw(&c[0], kept_data, kept_size), 0, "given in again it succeeds");
	check(kept == 1 && farm_taken == 1, "and has one share");
	check(allocate(&c[1]) == 508 && farm_taken == 1 && farm_asked == 2, "what this node refuses, the farm is not asked");
	tp_dp_mock_hold(b.dp, true);
	refresh(&c[0], 0);
	bench_tick(&b);
	check_eq(farm_taken, 1, "8656 7.2 point 10: a share is kept until the resources are free");
	tp_dp_mock_hold(b.dp, false);
	bench_tick(&b);
	check_eq(farm_taken, 0, "and then given back");
	farm_says = -EDQUOT;
	check_eq(allocate(&c[1]), 486, "a full farm is 486");
	end("the farm's quota");
}

static void test_capacity(void)
{
	const struct tp_flow *f;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.max_bps = 1000;
	b.conf.bps_capacity = 2500;
	begin();
	check(allocate(&c[0]) == 0 && allocate(&c[1]) == 0, "two allocations' worth of bps-capacity");
	check_eq(allocate(&c[2]), 0, "the third");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_SEND, NULL, 0));
	check(f && f->police, "has a bucket");
	check_eq(tp_dp_mock_police_bps(b.dp, 3), 8 * 500, "bps-capacity: what is left of it");
	check_eq(allocate(&c[3]), 486, "bps-capacity: then the quota is reached");
	refresh(&c[0], 0);
	bench_tick(&b);
	check_eq(allocate(&c[3]), 0, "and what was given back is granted again");
	end("bps-capacity");
}

int main(void)
{
	test_user();
	test_rest();
	test_total();
	test_bps();
	test_bps_from_none();
	test_realm();
	test_farm();
	test_capacity();
	return done();
}
