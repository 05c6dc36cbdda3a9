/* SPDX-License-Identifier: GPL-2.0 */
/* The file of the node's key; see node_key.h. */
#include "auth/node_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE	"node.key"
#define KEY_FILE_NEW	"node.key.new"

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint8_t key_bytes[TP_NODE_KEY_SIZE];
static bool key_good;

static void key_make(void)
{
	if (!key_good)
		key_good = RAND_bytes(key_bytes, sizeof(key_bytes)) == 1;
}

int tp_node_key(uint8_t ret[TP_NODE_KEY_SIZE])
{
	pthread_once(&key_once, key_make);
	if (!key_good)
		return -EIO;
	memcpy(ret, key_bytes, sizeof(key_bytes));
	return 0;
}

static int key_read(int dir)
{
	int fd = openat(dir, KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = 0;
	uint8_t bytes[TP_NODE_KEY_SIZE];
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		err = -EPERM;
	else if (read(fd, bytes, sizeof(bytes)) != sizeof(bytes))
		err = -EBADMSG;
	close(fd);
	if (err)
		return err;
	memcpy(key_bytes, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	key_good = true;
	return 0;
}

/* Under another name first: the file is there whole or not at all, and an older one is never replaced. */
static int key_write(int dir)
{
	uint8_t bytes[TP_NODE_KEY_SIZE];
	int fd, err = 0;

	if (tp_node_key(bytes))
		return -EIO;
	unlinkat(dir, KEY_FILE_NEW, 0);
	fd = openat(dir, KEY_FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fsync(fd))
		err = errno ? -errno : -EIO;
	explicit_bzero(bytes, sizeof(bytes));
	close(fd);
	if (!err && linkat(dir, KEY_FILE_NEW, dir, KEY_FILE, 0))
		err = -errno;
	unlinkat(dir, KEY_FILE_NEW, 0);
	return err == -EEXIST ? key_read(dir) : err;
}

int tp_node_key_load(const char *folder)
{
	int dir, err;

	if (mkdir(folder, 0700) && errno != EEXIST)
		return -errno;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	err = key_read(dir);
	if (err == -ENOENT)
		err = key_write(dir);
	close(dir);
	return err;
}
