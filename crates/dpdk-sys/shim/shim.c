#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <rte_cycles.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_ring_peek.h>

int spp_errno(void) { return rte_errno; }
unsigned int spp_lcore_id(void) { return rte_lcore_id(); }
unsigned int spp_main_lcore(void) { return rte_get_main_lcore(); }
uint64_t spp_rdtsc(void) { return rte_rdtsc(); }
void *spp_memzone_addr(const struct rte_memzone *mz) { return mz->addr; }
size_t spp_memzone_len(const struct rte_memzone *mz) { return mz->len; }

int spp_heap(size_t *allocated, size_t *free)
{
	struct rte_malloc_socket_stats stats;
	unsigned int i, n = rte_socket_count();

	*allocated = *free = 0;
	for (i = 0; i < n; i++) {
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) != 0)
			return -1;
		*allocated += stats.heap_allocsz_bytes;
		*free += stats.heap_freesz_bytes;
	}
	return n == 0 ? -1 : 0;
}

static void (*log_sink)(unsigned int level, const char *text, size_t len);

static ssize_t log_write(void *cookie, const char *buf, size_t len)
{
	(void)cookie;
	int level = rte_log_cur_msg_loglevel();
	log_sink(level < 0 ? RTE_LOG_INFO : (unsigned int)level, buf, len);
	return (ssize_t)len;
}

int spp_log_to(void (*sink)(unsigned int, const char *, size_t))
{
	cookie_io_functions_t io = { .write = log_write };
	FILE *f;

	log_sink = sink;
	f = fopencookie(NULL, "w", io);
	if (f == NULL)
		return -errno;
	/* One write a message: the stream is flushed by DPDK after each. */
	return rte_openlog_stream(f);
}

struct rte_mempool_cache *spp_mempool_cache(struct rte_mempool *mp, unsigned int lcore)
{
	return rte_mempool_default_cache(mp, lcore);
}
uint32_t spp_mempool_cache_most(struct rte_mempool *mp)
{
	/* 22.11 to 25.11: one and a half times the size. All lcores' caches are alike. */
	return rte_mempool_default_cache(mp, 0)->flushthresh;
}
/* DPDK moves its own end's tail only after those that came before it have moved it, and waits for them. We do not begin
 * while somebody is before us: whoever finds head == tail and moves the head from there is the first. */
int spp_mempool_try_take(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct rte_ring *r = mp->pool_data;
	void **slots = (void **)&r[1];
	uint32_t head = __atomic_load_n(&r->cons.head, __ATOMIC_RELAXED);
	unsigned int i;

	if (__atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE) != head)
		return -EAGAIN;
	if (__atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE) - head < n)
		return -ENOENT;
	if (!__atomic_compare_exchange_n(&r->cons.head, &head, head + n, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return -EAGAIN;
	for (i = 0; i < n; i++)
		objs[i] = slots[(head + i) & r->mask];
	__atomic_store_n(&r->cons.tail, head + n, __ATOMIC_RELEASE);
	return 0;
}
int spp_mempool_try_give(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct rte_ring *r = mp->pool_data;
	void **slots = (void **)&r[1];
	uint32_t head = __atomic_load_n(&r->prod.head, __ATOMIC_RELAXED);
	unsigned int i;

	if (__atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE) != head)
		return -EAGAIN;
	if (r->capacity + __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE) - head < n)
		return -ENOBUFS;
	if (!__atomic_compare_exchange_n(&r->prod.head, &head, head + n, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return -EAGAIN;
	for (i = 0; i < n; i++)
		slots[(head + i) & r->mask] = objs[i];
	__atomic_store_n(&r->prod.tail, head + n, __ATOMIC_RELEASE);
	return 0;
}
unsigned int spp_mempool_backlog(struct rte_mempool *mp)
{
	/* Our pools use the ring operations, whose private data is the ring. */
	return rte_ring_count(mp->pool_data);
}
uint16_t spp_mempool_data_room(struct rte_mempool *mp) { return rte_pktmbuf_data_room_size(mp); }
uint32_t spp_mempool_size(const struct rte_mempool *mp) { return mp->size; }
int32_t spp_mempool_ops_index(const struct rte_mempool *mp) { return mp->ops_index; }
const char *spp_mempool_ops_name(int32_t index)
{
	if (index < 0 || (uint32_t)index >= rte_mempool_ops_table.num_ops)
		return NULL;
	return rte_mempool_ops_table.ops[index].name;
}

struct walk {
	void (*each)(void *arg, void *obj, unsigned int idx);
	void *arg;
};
static void walk_one(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	struct walk *w = arg;
	(void)mp;
	w->each(w->arg, obj, idx);
}
void spp_mempool_walk(struct rte_mempool *mp, void (*each)(void *, void *, unsigned int), void *arg)
{
	struct walk w = { each, arg };
	rte_mempool_obj_iter(mp, walk_one, &w);
}
static struct spp_span zone_span(const struct rte_memzone *mz)
{
	struct spp_span span = { mz->addr_64, mz->addr_64 + mz->len };
	return span;
}
void spp_mempool_object(const struct rte_mempool *mp, size_t *header, size_t *total)
{
	*header = mp->header_size;
	*total = (size_t)mp->header_size + mp->elt_size + mp->trailer_size;
}
struct spp_span spp_mempool_span(const struct rte_mempool *mp) { return zone_span(mp->mz); }
/* Our pools use the ring operations. */
struct spp_span spp_mempool_ring_span(const struct rte_mempool *mp) { return spp_ring_span(mp->pool_data); }
struct memory_walk {
	void (*each)(void *arg, struct spp_span part);
	void *arg;
};
static int memory_part(const struct rte_memseg_list *list, const struct rte_memseg *seg, size_t len, void *arg)
{
	struct memory_walk *w = arg;
	struct spp_span part = { seg->addr_64, seg->addr_64 + len };
	if (!list->external)
		w->each(w->arg, part);
	return 0;
}
void spp_memory_walk(void (*each)(void *, struct spp_span), void *arg)
{
	struct memory_walk w = { each, arg };
	rte_memseg_contig_walk_thread_unsafe(memory_part, &w);
}
int spp_mbuf_alloc_bulk(struct rte_mempool *mp, struct rte_mbuf **mbufs, unsigned int n)
{
	return rte_pktmbuf_alloc_bulk(mp, mbufs, n);
}
/* A cloned header points at somebody else's data: this gives it its own back. The flag goes first: while it is there,
 * the reaper looks where the header points. */
static void restore(struct rte_mbuf *m)
{
	uint32_t mbuf_size = sizeof(struct rte_mbuf) + rte_pktmbuf_priv_size(m->pool);

	__atomic_store_n(&m->ol_flags, 0, __ATOMIC_RELEASE);
	__atomic_store_n((uintptr_t *)&m->buf_addr, (uintptr_t)m + mbuf_size, __ATOMIC_RELEASE);
	rte_mbuf_iova_set(m, rte_mempool_virt2iova(m) + mbuf_size);
	m->buf_len = rte_pktmbuf_data_room_size(m->pool);
}
void spp_mbuf_renew(struct rte_mbuf *m)
{
	restore(m);
	rte_pktmbuf_reset(m);
	rte_mbuf_refcnt_set(m, 1);
}
void spp_mbuf_reset(struct rte_mbuf *m) { rte_pktmbuf_reset(m); }
int spp_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail) { return rte_pktmbuf_chain(head, tail); }

/* Shared packets: see docs/decisions/shared-packets.md. */
_Static_assert(RTE_MBUF_F_INDIRECT == UINT64_C(1) << 62 && RTE_MBUF_F_EXTERNAL == UINT64_C(1) << 61,
	       "mbuf.rs knows these flags by their values");

static bool is_carrier(const struct rte_mbuf *m)
{
	return __atomic_load_n(&m->hash.fdir.hi, __ATOMIC_ACQUIRE) >> 16 == SPP_SHARED_TAG >> 16;
}
static void attach(struct rte_mbuf *clone, const struct rte_mbuf *m)
{
	clone->port = m->port;
	clone->data_off = m->data_off;
	clone->data_len = m->data_len;
	clone->packet_type = m->packet_type;
	clone->vlan_tci = m->vlan_tci;
	clone->vlan_tci_outer = m->vlan_tci_outer;
	clone->tx_offload = m->tx_offload;
	clone->hash.fdir.lo = m->hash.fdir.lo;
	clone->buf_len = m->buf_len;
	rte_mbuf_iova_set(clone, rte_mbuf_iova_get(m));
	__atomic_store_n((uintptr_t *)&clone->buf_addr, (uintptr_t)m->buf_addr, __ATOMIC_RELAXED);
	__atomic_store_n(&clone->ol_flags, m->ol_flags | RTE_MBUF_F_INDIRECT, __ATOMIC_RELEASE);
}
void spp_mbuf_share(struct rte_mbuf *m, unsigned int segs, struct rte_mbuf **clones, unsigned int n, uint32_t tag,
		    uint32_t generation)
{
	struct rte_mbuf *seg = m, *next;
	unsigned int i, k;

	for (i = 0; i < segs; i++, seg = seg->next) {
		for (k = 0; k < n; k++) {
			attach(clones[k * segs + i], seg);
			if (i + 1 < segs)
				clones[k * segs + i]->next = clones[k * segs + i + 1];
		}
	}
	for (k = 0; k < n; k++) {
		clones[k * segs]->pkt_len = m->pkt_len;
		clones[k * segs]->nb_segs = (uint16_t)segs;
	}
	for (seg = m, i = 0; i < segs; i++, seg = next) {
		next = seg->next;
		/* Each is for itself from now on: its clones may be freed one by one. */
		seg->next = NULL;
		seg->nb_segs = 1;
		seg->hash.fdir.lo = generation;
		rte_mbuf_refcnt_set(seg, (uint16_t)(SPP_SHARED_REFS + n));
		__atomic_store_n(&seg->hash.fdir.hi, tag, __ATOMIC_RELEASE);
	}
}
/* Takes a carrier back that nobody else has a clone of. Its tag first, and only then the clone forgets it: so a carrier
 * that is tagged as one and that no clone points at is nobody's. */
static void take_back(struct rte_mbuf *m, struct rte_mbuf *clone)
{
	rte_mbuf_refcnt_set(m, 1);
	__atomic_store_n(&m->hash.fdir.hi, clone->hash.fdir.hi, __ATOMIC_RELEASE);
}
/* Makes a clone an mbuf of its own; gives the carrier if it was the last one. */
static struct rte_mbuf *detach(struct rte_mbuf *clone)
{
	struct rte_mbuf *m = rte_mbuf_from_indirect(clone);

	/* One that a foreign process has made: DPDK's rules are for it. */
	if (!is_carrier(m))
		return NULL;
	if (__atomic_load_n(&m->refcnt, __ATOMIC_ACQUIRE) == SPP_SHARED_REFS + 1 ||
	    __atomic_sub_fetch(&m->refcnt, 1, __ATOMIC_ACQ_REL) == SPP_SHARED_REFS)
		take_back(m, clone);
	else
		m = NULL;
	restore(clone);
	return m;
}
void spp_mbuf_free_shared(struct rte_mbuf **mbufs, unsigned int n)
{
	struct rte_mbuf *back[64], *seg;
	unsigned int i, k = 0;

	for (i = 0; i < n; i++)
		if ((mbufs[i]->ol_flags & RTE_MBUF_F_INDIRECT) != 0)
			rte_prefetch0(rte_mbuf_from_indirect(mbufs[i]));
	for (i = 0; i < n; i++) {
		for (seg = mbufs[i]; seg != NULL; seg = seg->next) {
			if ((seg->ol_flags & RTE_MBUF_F_INDIRECT) == 0)
				continue;
			back[k] = detach(seg);
			k += back[k] != NULL;
			if (k == RTE_DIM(back)) {
				rte_pktmbuf_free_bulk(back, k);
				k = 0;
			}
		}
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	if (k > 0)
		rte_pktmbuf_free_bulk(back, k);
}
struct rte_mbuf *spp_mbuf_adopt(struct rte_mbuf *clone)
{
	struct rte_mbuf *m = rte_mbuf_from_indirect(clone);

	if (clone->nb_segs != 1 || __atomic_load_n(&m->refcnt, __ATOMIC_ACQUIRE) != SPP_SHARED_REFS + 1)
		return NULL;
	m->data_off = clone->data_off;
	m->data_len = clone->data_len;
	m->pkt_len = clone->pkt_len;
	m->hash.fdir.lo = clone->hash.fdir.lo;
	take_back(m, clone);
	restore(clone);
	rte_pktmbuf_free_seg(clone);
	return m;
}
void spp_mbuf_prefetch_heads(struct rte_mbuf *const *mbufs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], const void *));
}

unsigned int spp_ring_enqueue(struct rte_ring *r, struct rte_mbuf **mbufs, unsigned int n)
{
	return rte_ring_sp_enqueue_burst(r, (void **)mbufs, n, NULL);
}
unsigned int spp_ring_peek(struct rte_ring *r, struct rte_mbuf **mbufs, unsigned int n)
{
	return rte_ring_dequeue_burst_start(r, (void **)mbufs, n, NULL);
}
void spp_ring_take(struct rte_ring *r, unsigned int n) { rte_ring_dequeue_finish(r, n); }
unsigned int spp_ring_count(const struct rte_ring *r) { return rte_ring_count(r); }
unsigned int spp_ring_capacity(const struct rte_ring *r) { return rte_ring_get_capacity(r); }
bool spp_ring_mend_producer(struct rte_ring *r)
{
	bool torn = r->prod.head != r->prod.tail;
	if (torn)
		r->prod.head = r->prod.tail;
	return torn;
}
bool spp_ring_mend_consumer(struct rte_ring *r)
{
	bool torn = r->cons.head != r->cons.tail;
	if (torn)
		r->cons.head = r->cons.tail;
	return torn;
}
void spp_ring_walk(struct rte_ring *r, void (*each)(void *, struct rte_mbuf *), void *arg)
{
	void **slots = (void **)&r[1];
	uint32_t tail = __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t head = __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE);

	if (head - tail > r->capacity)
		head = tail + r->capacity;
	for (; tail != head; tail++)
		each(arg, slots[tail & r->mask]);
}
struct spp_span spp_ring_span(const struct rte_ring *r) { return zone_span(r->memzone); }
struct rte_ring *spp_ring_create(const char *name, unsigned int size, int socket)
{
	return rte_ring_create(name, size, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

int spp_eth_info(uint16_t port, struct spp_eth_info *out)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int ret = rte_eth_dev_info_get(port, &info);

	if (ret != 0)
		return ret;
	memset(out, 0, sizeof(*out));
	snprintf(out->driver, sizeof(out->driver), "%s", info.driver_name ? info.driver_name : "");
	if (rte_eth_dev_get_name_by_port(port, out->name) != 0)
		out->name[0] = 0;
	out->max_rx_queues = info.max_rx_queues;
	out->max_tx_queues = info.max_tx_queues;
	out->rx_queues = info.nb_rx_queues;
	out->tx_queues = info.nb_tx_queues;
	out->socket = rte_eth_dev_socket_id(port);
	if (rte_eth_macaddr_get(port, &mac) == 0)
		memcpy(out->mac, mac.addr_bytes, 6);
	return 0;
}
uint16_t spp_eth_next(uint16_t port) { return (uint16_t)rte_eth_find_next(port); }
int spp_eth_port_by_name(const char *name, uint16_t *port) { return rte_eth_dev_get_port_by_name(name, port); }

int spp_eth_start(uint16_t port, uint16_t rxq, uint16_t txq, uint16_t descriptors, struct rte_mempool *mp)
{
	struct rte_eth_conf conf;
	struct rte_eth_dev_info info;
	uint16_t nrxd = descriptors, ntxd = descriptors, q;
	int socket = rte_eth_dev_socket_id(port);
	int ret = rte_eth_dev_info_get(port, &info);

	if (ret != 0)
		return ret;
	memset(&conf, 0, sizeof(conf));
	if (rxq > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	}
	/* Jumbo frames are received into chains. */
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	ret = rte_eth_dev_configure(port, rxq, txq, &conf);
	if (ret != 0)
		return ret;
	ret = rte_eth_dev_adjust_nb_rx_tx_desc(port, &nrxd, &ntxd);
	if (ret != 0)
		return ret;
	for (q = 0; q < rxq; q++) {
		ret = rte_eth_rx_queue_setup(port, q, nrxd, (unsigned int)socket, NULL, mp);
		if (ret != 0)
			return ret;
	}
	for (q = 0; q < txq; q++) {
		ret = rte_eth_tx_queue_setup(port, q, ntxd, (unsigned int)socket, NULL);
		if (ret != 0)
			return ret;
	}
	ret = rte_eth_dev_start(port);
	if (ret != 0)
		return ret;
	/* Not every driver knows the mode; a patch panel asks for it and goes on. */
	(void)rte_eth_promiscuous_enable(port);
	return 0;
}
int spp_eth_stop(uint16_t port) { return rte_eth_dev_stop(port); }
int spp_eth_close(uint16_t port) { return rte_eth_dev_close(port); }
int spp_eth_link(uint16_t port)
{
	struct rte_eth_link link;
	int ret = rte_eth_link_get_nowait(port, &link);
	return ret != 0 ? ret : (link.link_status == RTE_ETH_LINK_UP);
}
uint16_t spp_eth_rx(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return rte_eth_rx_burst(port, queue, mbufs, n);
}
uint16_t spp_eth_tx(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return rte_eth_tx_burst(port, queue, mbufs, n);
}

uint16_t spp_eth_offer(uint16_t port, uint16_t queue, struct rte_mbuf *const *mbufs, uint16_t n)
{
	struct rte_mbuf *lent[64], *seg;
	uint16_t i, sent;

	n = RTE_MIN(n, (uint16_t)RTE_DIM(lent));
	for (i = 0; i < n; i++) {
		lent[i] = mbufs[i];
		for (seg = mbufs[i]; seg != NULL; seg = seg->next)
			rte_mbuf_refcnt_update(seg, 1);
	}
	sent = rte_eth_tx_burst(port, queue, lent, n);
	for (i = sent; i < n; i++)
		for (seg = mbufs[i]; seg != NULL; seg = seg->next)
			rte_mbuf_refcnt_update(seg, -1);
	return sent;
}

/* virtio_net_hdr_mrg_rxbuf, in front of each packet. */
#define SPP_VIRTIO_HEADER 12
/* Bytes of a packet that are fetched ahead at most. */
#define SPP_FETCH_MAX UINT64_C(2048)

int spp_vhost_kickfd(int vid, uint16_t queue)
{
	struct rte_vhost_vring vring;
	if (rte_vhost_get_vhost_vring(vid, queue, &vring) != 0)
		return -1;
	return vring.kickfd;
}

int spp_vhost_callfd(int vid, uint16_t queue)
{
	struct rte_vhost_vring vring;
	if (rte_vhost_get_vhost_vring(vid, queue, &vring) != 0)
		return -1;
	return vring.callfd;
}

uint32_t spp_vhost_pieces(int vid, struct spp_piece *pieces, uint32_t room)
{
	uint32_t n = 0;
	struct rte_vhost_memory *memory = NULL;
	if (rte_vhost_get_mem_table(vid, &memory) == 0) {
		for (uint32_t i = 0; i < memory->nregions; i++, n++)
			if (n < room) {
				pieces[n].at = (uint64_t)(uintptr_t)memory->regions[i].mmap_addr;
				pieces[n].len = memory->regions[i].mmap_size;
			}
		free(memory);
	}
	uint64_t base, size;
	if (rte_vhost_get_log_base(vid, &base, &size) == 0 && base != 0 && size != 0) {
		if (n < room) {
			pieces[n].at = base;
			pieces[n].len = size;
		}
		n++;
	}
	return n;
}

int spp_vhost_map(int vid, uint16_t queue, struct spp_vhost_map *map)
{
	uint64_t features;
	if (rte_vhost_get_negotiated_features(vid, &features) != 0 ||
	    (features & (1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IOMMU_PLATFORM)) != 0)
		return -1;
	struct rte_vhost_vring vring;
	if (rte_vhost_get_vhost_vring(vid, queue, &vring) != 0 || vring.desc == NULL || vring.avail == NULL)
		return -1;
	/* Indexes are masked below. */
	if (vring.size == 0 || (vring.size & (vring.size - 1)) != 0)
		return -1;
	struct rte_vhost_memory *memory = NULL;
	if (rte_vhost_get_mem_table(vid, &memory) != 0)
		return -1;
	int ret = -1;
	if (memory->nregions > 0 && memory->nregions <= SPP_VHOST_REGIONS) {
		for (uint32_t i = 0; i < memory->nregions; i++) {
			map->region[i].guest = memory->regions[i].guest_phys_addr;
			map->region[i].size = memory->regions[i].size;
			map->region[i].host = memory->regions[i].host_user_addr;
		}
		map->regions = memory->nregions;
		map->desc = vring.desc;
		map->avail = vring.avail;
		map->size = vring.size;
		ret = 0;
	}
	free(memory);
	return ret;
}

#ifdef __x86_64__
/* Else the compiler makes a write hint one for reading. The instruction does nothing where it is unknown. */
#define SPP_PREFETCHW __attribute__((target("prfchw")))
#else
#define SPP_PREFETCHW
#endif

SPP_PREFETCHW
void spp_vhost_fetch(const struct spp_vhost_map *map, int vid, uint16_t queue, struct rte_mbuf *const *mbufs, uint16_t n)
{
	const struct vring_desc *descs = map->desc;
	const struct vring_avail *avail = map->avail;
	const uint32_t mask = map->size - 1;
	uint16_t next, used;
	if (rte_vhost_get_vring_base(vid, queue, &next, &used) != 0)
		return;
	/* The guest may write anything here at any time: only what is masked is read, and the rest only hinted at. */
	const uint16_t there = (uint16_t)(*(const volatile uint16_t *)&avail->idx - next);
	n = RTE_MIN(n, there);
	if (n > map->size)
		return;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(&descs[avail->ring[(next + i) & mask] & mask]);
	for (uint16_t i = 0; i < n; i++) {
		const volatile struct vring_desc *desc = &descs[avail->ring[(next + i) & mask] & mask];
		/* A header in a buffer of its own: the packet is in the next one. */
		if (desc->len < RTE_CACHE_LINE_SIZE && (desc->flags & VRING_DESC_F_NEXT) != 0)
			desc = &descs[desc->next & mask];
		if ((desc->flags & VRING_DESC_F_INDIRECT) != 0)
			continue;
		const uint64_t guest = desc->addr;
		uint64_t len = desc->len;
		if (mbufs != NULL)
			len = RTE_MIN(len, (uint64_t)mbufs[i]->pkt_len + SPP_VIRTIO_HEADER);
		for (uint32_t r = 0; r < map->regions; r++) {
			const struct spp_vhost_region *region = &map->region[r];
			const uint64_t at = guest - region->guest;
			if (at >= region->size)
				continue;
			const char *from = (const char *)(uintptr_t)(region->host + at);
			/* No further than one buffer, whatever the guest says. */
			len = RTE_MIN(len, SPP_FETCH_MAX);
			if (mbufs != NULL)
				for (uint64_t k = 0; k < len; k += RTE_CACHE_LINE_SIZE)
					__builtin_prefetch(from + k, 1);
			else
				for (uint64_t k = 0; k < len; k += RTE_CACHE_LINE_SIZE)
					__builtin_prefetch(from + k, 0);
			break;
		}
	}
}
