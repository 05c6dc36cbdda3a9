/* SPDX-License-Identifier: GPL-2.0 */
/* Self-signed certificates for tests, in a directory of their own. Header only. */
#ifndef TP_TESTS_CERTIFICATES_H
#define TP_TESTS_CERTIFICATES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char cert_dir[] = "/tmp/tp-certs-XXXXXX";

static char *cert_path(const char *name, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s.%s", cert_dir, name, suffix) < 0 ? NULL : path;
}

static void cert_write_key(const char *name, EVP_PKEY *key, const char *password)
{
	char *path = cert_path(name, "key");
	FILE *f = fopen(path, "w");

	PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL, (const unsigned char *)password,
			     password ? (int)strlen(password) : 0, NULL, NULL);
	fclose(f);
	free(path);
}

/* A self-signed certificate for DNS:name.test and its key, which it takes. */
static void cert_make_of(const char *name, EVP_PKEY *key, const char *password)
{
	X509 *x = X509_new();
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	char *path = cert_path(name, "pem"), san[80];
	FILE *f = fopen(path, "w");

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	snprintf(san, sizeof(san), "DNS:%s.test", name);
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	X509_sign(x, key, EVP_sha256());
	PEM_write_X509(f, x);
	fclose(f);
	cert_write_key(name, key, password);
	X509_free(x);
	EVP_PKEY_free(key);
	free(path);
}

__attribute__((unused)) static void cert_make(const char *name, const char *password)
{
	cert_make_of(name, EVP_EC_gen("P-256"), password);
}

__attribute__((unused)) static bool cert_begin(void)
{
	return mkdtemp(cert_dir) != NULL;
}

__attribute__((unused)) static void cert_end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", cert_dir);
	if (system(command))
		fprintf(stderr, "%s stays\n", cert_dir);
}

#endif
