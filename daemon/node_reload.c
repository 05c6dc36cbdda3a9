/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a reload does: everything that can fail is made first (configuration, users,
 * certificates, sockets), then all of it takes effect at once. A failure leaves the
 * daemon as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/store.h"
#include "conf.h"
#include "dp/node.h"
#include "log.h"
#include "net/tls_context.h"
#include "node.h"
#include "runtime.h"

void node_configure_log(const struct tp_conf *conf)
{
	int err = tp_log_open(conf->log_file, conf->syslog, conf->syslog_facility);

	if (err < 0)
		tp_error("cannot open the log file %s: %s; lines go where they went before", conf->log_file,
			 strerror(-err));
	tp_log_set_level(conf->extra_verbose ? TP_LOG_DEBUG : conf->verbose ? TP_LOG_INFO : TP_LOG_NOTICE);
}

/* NULL without an error where the configuration has no use for certificates. */
static int load_certificates(const struct tp_conf *conf, struct tp_tls_context **ret, char *text, size_t size)
{
	*ret = NULL;
	if (!conf->cert || (conf->no_tls && conf->no_dtls))
		return 0;
	*ret = tp_tls_context_new(conf, text, size);
	return *ret ? 0 : -EINVAL;
}

/* Takes over `conf`, or says why not. */
static int publish_users(struct tp_node *node, struct tp_conf *conf, char *text, size_t size)
{
	struct tp_auth *auth;
	int err;

	if (node->store && tp_store_apply_lists(node->store, conf)) {
		snprintf(text, size, "out of memory");
		return -ENOMEM;
	}
	auth = tp_auth_new(conf, text, size);
	if (!auth)
		return -EINVAL;
	tp_auth_use_store(auth, node->store);
	err = tp_runtime_publish(conf, auth);
	if (err) {
		snprintf(text, size, "out of memory");
		tp_auth_free(auth);
	}
	return err;
}

int node_publish(struct tp_node *node, struct tp_conf *conf, char *text, size_t size)
{
	struct tp_tls_context *tls = NULL;
	int err = load_certificates(conf, &tls, text, size);

	if (err)
		return err;
	err = publish_users(node, conf, text, size);
	if (err) {
		tp_tls_context_put(tls);
		return err;
	}
	tp_tls_context_publish(tls);
	return 0;
}

/* The store's peer lists and realms are others: the configuration of now is published again with them. */
void node_take_lists(struct tp_node *node)
{
	char why[512] = "out of memory";
	struct tp_conf *conf = NULL;
	int err = tp_conf_copy(tp_runtime_current()->conf, &conf);

	err = err ? err : publish_users(node, conf, why, sizeof(why));
	if (err) {
		tp_error("peer lists and realms of the user store are not taken: %s", why);
		tp_conf_free(conf);
		return;
	}
	tp_notice("peer lists and realms of the user store are taken");
}

/* The first problem of a report: the log has all of them. */
static void log_report(const struct tp_conf_report *report)
{
	for (size_t i = 0; i < report->len; i++) {
		const struct tp_conf_problem *p = &report->problem[i];

		tp_log(p->error ? TP_LOG_ERROR : TP_LOG_WARNING, "%s:%u: %s", report->file ? report->file : "options",
		       p->line, p->text);
	}
}

static void nothing(struct tp_worker *worker, void *arg)
{
}

static int reload(struct tp_node *node, char *text, size_t size)
{
	struct tp_conf_report report = { 0 };
	struct tp_conf *conf = NULL;
	char why[512];
	int err = tp_conf_reload(tp_runtime_current()->conf, &conf, &report, text, size);

	log_report(&report);
	tp_conf_report_fini(&report);
	if (err)
		return err;
	err = tp_workers_listen(node->workers, conf, why, sizeof(why));
	err = err ? err : node_publish(node, conf, why, sizeof(why));
	if (err) {
		snprintf(text, size, "nothing changed: %s", why);
		tp_conf_free(conf);
		return err;
	}
	node_configure_log(conf);
	if (tp_dp_reconfigure(node->dp, conf))
		tp_warning("the data path keeps the old addresses: out of memory");
	/* Every worker takes the new one at the top of an iteration: this makes them have one. */
	if (!tp_workers_call(node->workers, nothing, NULL, NULL))
		tp_warning("a worker thread is late in taking the new configuration");
	return 0;
}

int tp_node_reload(struct tp_node *node, char *text, size_t size)
{
	int err;

	/* A rotated log is let go even where the new configuration is bad. */
	node_configure_log(tp_runtime_current()->conf);
	err = reload(node, text, size);
	node->reloads += !err;
	node->reload_errors += err != 0;
	tp_log(err ? TP_LOG_ERROR : TP_LOG_NOTICE, "reload: %s", text);
	return err;
}

int tp_node_reload_certificates(struct tp_node *node, char *text, size_t size)
{
	const struct tp_conf *conf = tp_runtime_current()->conf;
	struct tp_tls_context *tls;
	int err = load_certificates(conf, &tls, text, size);

	if (!err && tls) {
		tp_tls_context_publish(tls);
		snprintf(text, size, "certificates are read again");
	} else if (!err) {
		snprintf(text, size, "there are no certificates: TLS and DTLS are off, or cert= is not set");
	}
	tp_log(err ? TP_LOG_ERROR : TP_LOG_NOTICE, "certificates: %s", text);
	return err;
}
