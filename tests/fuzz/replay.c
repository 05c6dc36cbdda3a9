/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs one fuzz target without libFuzzer, for `make check`: every input of its
 * corpus (tests/fuzz/corpus/NAME), then a fixed number of mutations of them from
 * a fixed seed. A report of ASan or UBSan ends the program before its plan.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/tap.h"

#define INPUT_MAX	4096
#define CORPUS_MAX	512
#define MUTATIONS	50000
#define SEED		0x74706b65u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *data;
	size_t size;
};

static struct input corpus[CORPUS_MAX];
static size_t corpus_len;
static uint64_t random_state = SEED;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static bool input_load(const char *path)
{
	struct input *in = &corpus[corpus_len];
	FILE *f = fopen(path, "rb");

	if (!f)
		return false;
	in->data = malloc(INPUT_MAX);
	in->size = in->data ? fread(in->data, 1, INPUT_MAX, f) : 0;
	fclose(f);
	corpus_len += in->data != NULL;
	return in->data != NULL;
}

static void corpus_load(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[1024];

	while (d && corpus_len < CORPUS_MAX && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		check(input_load(path), "corpus input %s", e->d_name);
	}
	if (d)
		closedir(d);
}

/* An exact copy on the heap, so that ASan sees a read past the end. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void feed_mutation(void)
{
	uint8_t buf[INPUT_MAX];
	size_t size = 0, edits = 1 + random_next() % 6;

	if (corpus_len) {
		const struct input *in = &corpus[random_next() % corpus_len];

		size = in->size;
		memcpy(buf, in->data, size);
	} else {
		size = random_next() % 256;
		for (size_t i = 0; i < size; i++)
			buf[i] = (uint8_t)random_next();
	}
	for (; edits && size; edits--) {
		size_t at = random_next() % size;

		switch (random_next() % 4) {
		case 0:
			buf[at] ^= (uint8_t)(1u << random_next() % 8);
			break;
		case 1:
			buf[at] = (uint8_t)random_next();
			break;
		case 2:
			size = at;
			break;
		default:
			buf[at] = random_next() % 2 ? 0xff : 0;
		}
	}
	feed(buf, size);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char dir[512];

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "replay_", 7) == 0)
		name += 7;
	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", argc > 1 ? argv[1] : name);
	corpus_load(dir);
	feed((const uint8_t *)"", 0);
	for (size_t i = 0; i < corpus_len; i++)
		feed(corpus[i].data, corpus[i].size);
	check(true, "%zu corpus inputs", corpus_len);
	for (unsigned int i = 0; i < MUTATIONS; i++)
		feed_mutation();
	check(true, "%u mutations, seed 0x%x", MUTATIONS, SEED);
	for (size_t i = 0; i < corpus_len; i++)
		free(corpus[i].data);
	return done();
}
