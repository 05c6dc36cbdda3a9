/* SPDX-License-Identifier: GPL-2.0 */
/* Opens the data path that datapath= asks for. Called by main. */
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "dp/bpf.h"
#include "log.h"

int tp_dp_bpf_new(const struct tp_conf *conf, struct tp_dp **ret)
{
	char why[BPF_WHY_SIZE];
	struct bpf_dp *b;
	int err = bpf_dp_new(conf, &b, why);

	if (err)
		tp_error("datapath=%s: %s", conf->datapath ? conf->datapath : "auto", why);
	else
		*ret = &b->dp;
	return err;
}

/* Programs that an earlier daemon left drop what is for our ports: they wait for one that beats their heart. */
static int open_user(const struct tp_conf *conf, struct tp_dp **ret)
{
	if (bpf_pins_are_left(conf)) {
		tp_error("datapath: user: the kernel still relays calls of an earlier turnpiked of this port; "
			 "`turnpikectl purge` ends them");
		return -EBUSY;
	}
	*ret = tp_dp_user_new();
	return *ret ? 0 : -ENOMEM;
}

int tp_dp_open(const struct tp_conf *conf, struct tp_dp **ret)
{
	const char *path = conf->datapath ? conf->datapath : "auto";
	char why[BPF_WHY_SIZE];
	struct bpf_dp *b;
	int err;

	if (!strcmp(path, "user")) {
		tp_notice("datapath: user: datapath=user");
		return open_user(conf, ret);
	}
	if (strcmp(path, "auto"))
		return tp_dp_bpf_new(conf, ret);
	err = bpf_dp_new(conf, &b, why);
	if (!err) {
		*ret = &b->dp;
		return 0;
	}
	/* State that is another's, or of another version: nothing of it may be lost by going on without. */
	if (err == -EBUSY || err == -EPROTO) {
		tp_error("datapath: %s", why);
		return err;
	}
	tp_notice("datapath: user: %s", why);
	return open_user(conf, ret);
}
