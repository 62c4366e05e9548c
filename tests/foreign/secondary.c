/* A DPDK secondary as it was written for the original Soft Patch Panel: it finds its pool and its rings by their
 * names, sends numbered frames into eth_ring0, takes what comes out of eth_ring1 (or two others: EAL-OPTIONS -- 2 3), and
 * knows nothing of the panel.
 *
 * It is told on its standard input what to do, a line each, and answers with a line:
 *   send N   sends N more frames
 *   stop     sends no more
 *   stats    says what it has counted
 *   quit     ends
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#define BURST 32
#define FRAME 64
#define NUMBER 16 /* where the frame's number stands */

static struct rte_mempool *pool;
static uint64_t asked, made, sent, received, bad, began, ended;

static void *found(void *thing, const char *name)
{
	if (thing == NULL) {
		printf("there is no %s\n", name);
		exit(1);
	}
	return thing;
}

/* Makes the next frames, up to BURST; none while the pool has none. */
static unsigned int make(struct rte_mbuf **mbufs)
{
	unsigned int i, n = RTE_MIN(asked - made, (uint64_t)BURST);

	if (n == 0 || rte_pktmbuf_alloc_bulk(pool, mbufs, n) != 0)
		return 0;
	for (i = 0; i < n; i++) {
		char *data = rte_pktmbuf_append(mbufs[i], FRAME);

		memset(data, 0, FRAME);
		memcpy(data + NUMBER, &made, sizeof(made));
		made++;
	}
	return n;
}

/* Looks at what came and frees it. Frames may be missing, but none comes twice or too early. */
static void take(struct rte_mbuf **mbufs, unsigned int n)
{
	static uint64_t next;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint64_t number;

		memcpy(&number, rte_pktmbuf_mtod_offset(mbufs[i], char *, NUMBER), sizeof(number));
		if (mbufs[i]->pool == pool) {
			if (mbufs[i]->pkt_len != FRAME || number < next || number >= made)
				bad++;
			next = number + 1;
		}
		rte_pktmbuf_free(mbufs[i]);
	}
	received += n;
}

/* Answers a line; 0 at the end. */
static int answer(void)
{
	char line[64];

	if (fgets(line, sizeof(line), stdin) == NULL || strcmp(line, "quit\n") == 0)
		return 0;
	if (strncmp(line, "send ", 5) == 0)
		asked += strtoull(line + 5, NULL, 10);
	else if (strcmp(line, "stop\n") == 0)
		asked = made;
	else
		printf("made=%" PRIu64 " sent=%" PRIu64 " received=%" PRIu64 " bad=%" PRIu64 " us=%" PRIu64
		       " free=%u of=%u cached=%u end\n",
		       made, sent, received, bad, (ended - began) / (rte_get_tsc_hz() / 1000000),
		       rte_mempool_avail_count(pool), pool->size,
		       rte_mempool_default_cache(pool, rte_lcore_id())->len);
	return 1;
}

int main(int argc, char **argv)
{
	struct rte_mbuf *out[BURST], *in[BURST];
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct rte_ring *tx, *rx;
	unsigned int held = 0, round = 0;
	char name[32];
	int eal;

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	eal = rte_eal_init(argc, argv);
	if (eal < 0)
		return 1;
	pool = found(rte_mempool_lookup("MProc_pktmbuf_pool"), "pool");
	/* A pool names its operations by a number, which is that of the order in which they were registered. */
	if (strcmp(rte_mempool_get_ops(pool->ops_index)->name, "ring_mp_mc") != 0) {
		printf("the pool's operations are %d in the primary, which are %s here: link librte_mempool_ring first\n",
		       pool->ops_index, rte_mempool_get_ops(pool->ops_index)->name);
		return 1;
	}
	/* Behind EAL's options stands what was no option, from the separator on. */
	snprintf(name, sizeof(name), "eth_ring%s", argc > eal + 2 ? argv[eal + 1] : "0");
	tx = found(rte_ring_lookup(name), name);
	snprintf(name, sizeof(name), "eth_ring%s", argc > eal + 2 ? argv[eal + 2] : "1");
	rx = found(rte_ring_lookup(name), name);
	found((void *)(uintptr_t)rte_memzone_lookup("MProc_port_info"), "MProc_port_info");
	printf("ready\n");
	for (;;) {
		unsigned int n, i;

		if (round++ % 1024 == 0 && poll(&input, 1, 0) > 0 && !answer())
			return 0;
		if (held == 0)
			held = make(out);
		if (held > 0) {
			n = rte_ring_enqueue_burst(tx, (void **)out, held, NULL);
			if (n > 0) {
				ended = rte_get_tsc_cycles();
				began = began == 0 ? ended : began;
			}
			for (i = 0; n > 0 && i < held - n; i++)
				out[i] = out[i + n];
			held -= n;
			sent += n;
		}
		n = rte_ring_dequeue_burst(rx, (void **)in, BURST, NULL);
		take(in, n);
	}
}
