/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redisload SOCKET fill KEYS BYTES | redisload SOCKET get KEYS BYTES COUNT - a deterministic client of
 * redis-server. fill sets all keys; get asks for COUNT of them, chosen by a Zipf law with exponent 1 (a rank
 * is spread over the keys by a multiplication), and compares each answer with what fill wrote. Requests go
 * out in batches, as redis-benchmark -P does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH 32

static FILE *in, *out;
static uint64_t seed = 88172645463325252ull;
static double *below; /* below[r]: weight of ranks 0..r */

static uint64_t draw(void) /* xorshift64 (G. Marsaglia) */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void value(char *to, size_t bytes, uint32_t key)
{
	uint32_t x = key * 2654435761u + 12345;

	for (size_t i = 0; i < bytes; i += 4, x = x * 1664525u + 1013904223u)
		memcpy(to + i, &x, 4);
}

static void make_zipf(uint32_t keys)
{
	double sum = 0;

	below = malloc(keys * sizeof(*below));
	for (uint32_t r = 0; below && r < keys; r++)
		below[r] = sum += 1.0 / (r + 1);
}

static uint32_t zipf(uint32_t keys)
{
	double x = (double)(draw() >> 11) / 9007199254740992.0 * below[keys - 1];
	uint32_t lo = 0, hi = keys - 1;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (below[mid] > x)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (uint32_t)((uint64_t)lo * 2654435761u % keys);
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)))
		return -1;
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	return 0;
}

static int answered(const char *want, char *got, size_t bytes, const char *expect)
{
	char line[64];

	if (!fgets(line, sizeof(line), in) || strcmp(line, want))
		return 0;
	return !bytes || (fread(got, 1, bytes + 2, in) == bytes + 2 && !memcmp(got, expect, bytes));
}

int main(int argc, char **argv)
{
	int get = argc > 5 && !strcmp(argv[2], "get"), fill = argc > 4 && !strcmp(argv[2], "fill");
	uint32_t keys = argc > 4 ? (uint32_t)atoi(argv[3]) : 0, batch[BATCH];
	size_t bytes = argc > 4 ? strtoul(argv[4], NULL, 0) / 4 * 4 : 0, bad = 0;
	uint32_t count = get ? (uint32_t)atoi(argv[5]) : keys, done = 0;
	char *expect = malloc(bytes + 4), *got = malloc(bytes + 4), want[32];

	if (!(get || fill) || !keys || !bytes || !expect || !got || connect_to(argv[1])) {
		fprintf(stderr, "redisload: usage, or no server at %s\n", argc > 1 ? argv[1] : "?");
		return 2;
	}
	make_zipf(keys);
	snprintf(want, sizeof(want), "$%zu\r\n", bytes);
	while (done < count) {
		uint32_t n = count - done < BATCH ? count - done : BATCH;

		for (uint32_t i = 0; i < n; i++) {
			char key[16];
			int len;

			batch[i] = get ? zipf(keys) : done + i;
			len = snprintf(key, sizeof(key), "k%u", batch[i]);
			fprintf(out, "*%d\r\n$3\r\n%s\r\n$%d\r\n%s\r\n", get ? 2 : 3, get ? "GET" : "SET",
				len, key);
			if (get)
				continue;
			value(expect, bytes, batch[i]);
			fprintf(out, "$%zu\r\n", bytes);
			fwrite(expect, 1, bytes, out);
			fputs("\r\n", out);
		}
		fflush(out);
		for (uint32_t i = 0; i < n; i++) {
			value(expect, bytes, batch[i]);
			bad += !(get ? answered(want, got, bytes, expect) :
				       answered("+OK\r\n", got, 0, expect));
		}
		done += n;
	}
	printf("%s count=%u bad=%zu\n", get ? "GOT" : "SET", done, bad);
	return bad != 0;
}
