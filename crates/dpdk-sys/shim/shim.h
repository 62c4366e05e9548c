/* What Rust needs of DPDK but cannot call: static inline functions, thread-local variables and
 * structures whose layout changes between versions. One call serves a burst, none a packet. */
#ifndef SPP_SHIM_H
#define SPP_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_config.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_ring.h>
#include <rte_version.h>
#include <rte_service_component.h>
#include <rte_vhost.h>

/* Offsets of the fields that the data plane touches. */
enum spp_layout {
	SPP_MBUF_SIZE = sizeof(struct rte_mbuf),
	SPP_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	SPP_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	SPP_MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt),
	SPP_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),
	SPP_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags),
	SPP_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	SPP_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
	SPP_MBUF_TAG = offsetof(struct rte_mbuf, hash.fdir.hi),
	SPP_MBUF_GENERATION = offsetof(struct rte_mbuf, hash.fdir.lo),
	SPP_MBUF_NEXT = offsetof(struct rte_mbuf, next),
	SPP_MBUF_POOL = offsetof(struct rte_mbuf, pool),
	SPP_MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len),
	SPP_MBUF_PACKET_TYPE = offsetof(struct rte_mbuf, packet_type),
	/* Tag of an mbuf whose data are shared: upper half; the lower one says which lcore has shared it. */
	SPP_SHARED_TAG = 0x48530000,
	/* Its reference count beyond that of its clones. Whoever frees a clone by DPDK's own means never brings it to 0. */
	SPP_SHARED_REFS = 0x4000,
	SPP_CACHE_LEN = offsetof(struct rte_mempool_cache, len),
	SPP_CACHE_OBJS = offsetof(struct rte_mempool_cache, objs),
	SPP_CACHE_MAX = RTE_MEMPOOL_CACHE_MAX_SIZE,
	SPP_MAX_LCORE = RTE_MAX_LCORE,
	SPP_MAX_ETHPORTS = RTE_MAX_ETHPORTS,
	SPP_HEADROOM = RTE_PKTMBUF_HEADROOM,
	SPP_MEMZONE_NAME = RTE_MEMZONE_NAMESIZE,
	/* Headers in the items of flow rules; older fields of the same have other names from version to version. */
	SPP_FLOW_ETH_DST = offsetof(struct rte_flow_item_eth, hdr.dst_addr),
	SPP_FLOW_ETH_SRC = offsetof(struct rte_flow_item_eth, hdr.src_addr),
	SPP_FLOW_ETH_TYPE = offsetof(struct rte_flow_item_eth, hdr.ether_type),
	SPP_FLOW_VLAN_TCI = offsetof(struct rte_flow_item_vlan, hdr.vlan_tci),
	SPP_FLOW_VLAN_INNER = offsetof(struct rte_flow_item_vlan, hdr.eth_proto),
};

/* Flags of an mbuf whose data lies in somebody else's buffer. */
static const uint64_t SPP_MBUF_BORROWS = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;

/* EAL */
int spp_errno(void);
unsigned int spp_lcore_id(void);
unsigned int spp_main_lcore(void);
uint64_t spp_rdtsc(void);
void *spp_memzone_addr(const struct rte_memzone *mz);
int spp_heap(size_t *allocated, size_t *free);
size_t spp_memzone_len(const struct rte_memzone *mz);
/* Sends every line of DPDK's log to `sink`; 0 or a negative errno. */
int spp_log_to(void (*sink)(unsigned int level, const char *text, size_t len));

/* Pools */
struct rte_mempool_cache *spp_mempool_cache(struct rte_mempool *mp, unsigned int lcore);
/* The most objects that a cache of the pool keeps: what goes beyond is flushed into the pool's shared structure. */
uint32_t spp_mempool_cache_most(struct rte_mempool *mp);
/* Objects straight from and to the pool's shared ring, past every cache; all or none. They wait for nobody: a
 * nonzero result says that another process is in the middle of the same (or died there), or that there are fewer. */
int spp_mempool_try_take(struct rte_mempool *mp, void **objs, unsigned int n);
int spp_mempool_try_give(struct rte_mempool *mp, void *const *objs, unsigned int n);
unsigned int spp_mempool_backlog(struct rte_mempool *mp);
/* Bytes of a buffer of a pool of mbufs, headroom included. */
uint16_t spp_mempool_data_room(struct rte_mempool *mp);
uint32_t spp_mempool_size(const struct rte_mempool *mp);
int32_t spp_mempool_ops_index(const struct rte_mempool *mp);
/* Name of the operations registered at `index` in this process, or NULL. */
const char *spp_mempool_ops_name(int32_t index);
/* Calls `each` for every object of the pool. */
void spp_mempool_walk(struct rte_mempool *mp, void (*each)(void *arg, void *obj, unsigned int idx), void *arg);
/* Bytes from the header of an object of the pool to the object, and of both with what is behind them. */
void spp_mempool_object(const struct rte_mempool *mp, size_t *header, size_t *total);
/* Addresses in shared memory. */
struct spp_span {
	uintptr_t start;
	uintptr_t end;
};
/* Where the pool itself lies, with the caches of all lcores; and its ring. */
struct spp_span spp_mempool_span(const struct rte_mempool *mp);
struct spp_span spp_mempool_ring_span(const struct rte_mempool *mp);
/* Calls `each` for every part of the memory that DPDK's processes share. Primary only, which has all of it mapped and never
 * grows it, so that no lock is needed, which somebody may have died with. */
void spp_memory_walk(void (*each)(void *arg, struct spp_span part), void *arg);
int spp_mbuf_alloc_bulk(struct rte_mempool *mp, struct rte_mbuf **mbufs, unsigned int n);
/* Resets the header of an mbuf whose last owner died, to what a pool holds. */
void spp_mbuf_renew(struct rte_mbuf *m);
/* Resets an mbuf that the caller owns alone to an empty packet. */
void spp_mbuf_reset(struct rte_mbuf *m);
/* Appends the chain `tail` to `head`; 0, or a negative errno if it has too many segments. */
int spp_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail);
/* Makes n clones of a packet of `segs` segments, from n * segs empty mbufs: those of a clone lie side by side, its head
 * first. The segments of the packet become carriers, the last thing being their tags. */
void spp_mbuf_share(struct rte_mbuf *m, unsigned int segs, struct rte_mbuf **clones, unsigned int n, uint32_t tag,
		    uint32_t generation);
/* Frees n packets that may be clones. */
void spp_mbuf_free_shared(struct rte_mbuf **mbufs, unsigned int n);
/* The carrier of a clone of one segment as a packet in its place, the clone being freed, if it was the last; or NULL. */
struct rte_mbuf *spp_mbuf_adopt(struct rte_mbuf *clone);
/* Begins to fetch the first bytes of n packets. */
void spp_mbuf_prefetch_heads(struct rte_mbuf *const *mbufs, unsigned int n);

/* Rings (single producer, single consumer) */
unsigned int spp_ring_enqueue(struct rte_ring *r, struct rte_mbuf **mbufs, unsigned int n);
/* Looks at up to n objects without taking them; spp_ring_take(r, n) then takes them. */
unsigned int spp_ring_peek(struct rte_ring *r, struct rte_mbuf **mbufs, unsigned int n);
void spp_ring_take(struct rte_ring *r, unsigned int n);
unsigned int spp_ring_count(const struct rte_ring *r);
unsigned int spp_ring_capacity(const struct rte_ring *r);
/* Undoes what a dead producer or consumer had begun. True if there was something. */
bool spp_ring_mend_producer(struct rte_ring *r);
bool spp_ring_mend_consumer(struct rte_ring *r);
/* Calls `each` for every object that is in the ring now. */
void spp_ring_walk(struct rte_ring *r, void (*each)(void *arg, struct rte_mbuf *m), void *arg);
/* Where the ring lies. */
struct spp_span spp_ring_span(const struct rte_ring *r);
struct rte_ring *spp_ring_create(const char *name, unsigned int size, int socket);

/* Ethernet devices */
struct spp_eth_info {
	char driver[32];
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t max_rx_queues;
	uint16_t max_tx_queues;
	uint16_t rx_queues;
	uint16_t tx_queues;
	int socket;
	bool started;
	uint8_t mac[6];
};
int spp_eth_info(uint16_t port, struct spp_eth_info *info);
/* Next valid port at or after `port`; RTE_MAX_ETHPORTS if there is none. */
uint16_t spp_eth_next(uint16_t port);
int spp_eth_port_by_name(const char *name, uint16_t *port);
/* Configures, sets up rxq and txq queues and starts the port in promiscuous mode. */
int spp_eth_start(uint16_t port, uint16_t rxq, uint16_t txq, uint16_t descriptors, struct rte_mempool *mp);
int spp_eth_stop(uint16_t port);
int spp_eth_close(uint16_t port);
/* 1 up, 0 down, negative errno. */
int spp_eth_link(uint16_t port);
uint16_t spp_eth_rx(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t spp_eth_tx(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
/* Shows a driver that keeps no mbufs up to 64 packets, which stay the caller's; returns how many it took. */
uint16_t spp_eth_offer(uint16_t port, uint16_t queue, struct rte_mbuf *const *mbufs, uint16_t n);

/* vhost */
int spp_vhost_kickfd(int vid, uint16_t queue);
int spp_vhost_callfd(int vid, uint16_t queue);

/* What is mapped of a guest's: its memory and the log of its migration. */
struct spp_piece {
	uint64_t at;
	uint64_t len;
};
/* How many; as many as there is room for are written. */
uint32_t spp_vhost_pieces(int vid, struct spp_piece *pieces, uint32_t room);

/* Where a split virtqueue and the guest's memory lie. */
#define SPP_VHOST_REGIONS 8
struct spp_vhost_region {
	uint64_t guest;
	uint64_t size;
	uint64_t host;
};
struct spp_vhost_map {
	const void *desc;
	const void *avail;
	uint32_t size;
	uint32_t regions;
	struct spp_vhost_region region[SPP_VHOST_REGIONS];
};
/* 0, or -1 for a queue that cannot be looked at from outside: not ready, packed, behind an IOMMU. */
int spp_vhost_map(int vid, uint16_t queue, struct spp_vhost_map *map);
/* Begins to fetch what the next call will read (mbufs NULL) or write (for n mbufs). */
void spp_vhost_fetch(const struct spp_vhost_map *map, int vid, uint16_t queue, struct rte_mbuf *const *mbufs, uint16_t n);

/* Flow rules, filled by the names of DPDK's fields, for tests to compare with: values in host order (addresses as on the
 * wire), into zeroed memory. */
void spp_flow_check_attr(struct rte_flow_attr *attr, uint32_t group, uint32_t priority, bool ingress, bool egress, bool transfer);
void spp_flow_check_eth(struct rte_flow_item_eth *item, const uint8_t *dst, const uint8_t *src, uint16_t type);
/* The tag by its parts: priority, drop eligible, VLAN id. */
void spp_flow_check_vlan(struct rte_flow_item_vlan *item, uint16_t pcp, uint16_t dei, uint16_t vid, uint16_t inner_type);
/* The configuration of an action of `type` (a number of enum rte_flow_action_type) in `conf`, which has `room` bytes; its size,
 * 0 for an action without one, -1 for one that is not known or does not fit. */
int spp_flow_check_action(uint32_t type, uint32_t value, void *conf, size_t room);
/* The numbers of DPDK for the words of items and actions, such as "VLAN" and "OF_POP_VLAN"; -1 for others. */
int spp_flow_check_item_type(const char *word);
int spp_flow_check_action_type(const char *word);

#endif
