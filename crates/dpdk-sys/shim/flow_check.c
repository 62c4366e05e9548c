/* Flow rules as a C program fills them, by the names that DPDK's documentation gives the fields. The crate dpdk fills them by
 * offsets; its tests compare the memory of both. Nothing else refers to this file, so it is linked into tests only. */
#include "shim.h"

#include <string.h>

#include <rte_byteorder.h>

void spp_flow_check_attr(struct rte_flow_attr *attr, uint32_t group, uint32_t priority, bool ingress, bool egress, bool transfer)
{
	attr->group = group;
	attr->priority = priority;
	attr->ingress = ingress;
	attr->egress = egress;
	attr->transfer = transfer;
}

void spp_flow_check_eth(struct rte_flow_item_eth *item, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(item->hdr.dst_addr.addr_bytes, dst, RTE_ETHER_ADDR_LEN);
	memcpy(item->hdr.src_addr.addr_bytes, src, RTE_ETHER_ADDR_LEN);
	item->hdr.ether_type = rte_cpu_to_be_16(type);
}

void spp_flow_check_vlan(struct rte_flow_item_vlan *item, uint16_t pcp, uint16_t dei, uint16_t vid, uint16_t inner_type)
{
	item->hdr.vlan_tci = rte_cpu_to_be_16((uint16_t)(pcp << 13 | dei << 12 | vid));
	item->hdr.eth_proto = rte_cpu_to_be_16(inner_type);
}

#define SPP_FILL(kind, statement) do {                      \
	struct rte_flow_action_##kind *c = conf;            \
	if (room < sizeof(*c))                              \
		return -1;                                  \
	statement;                                          \
	return (int)sizeof(*c);                             \
} while (0)

int spp_flow_check_action(uint32_t type, uint32_t value, void *conf, size_t room)
{
	switch ((enum rte_flow_action_type)type) {
	case RTE_FLOW_ACTION_TYPE_END:
	case RTE_FLOW_ACTION_TYPE_OF_POP_VLAN:
		return 0;
	case RTE_FLOW_ACTION_TYPE_JUMP:
		SPP_FILL(jump, c->group = value);
	case RTE_FLOW_ACTION_TYPE_QUEUE:
		SPP_FILL(queue, c->index = (uint16_t)value);
	case RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN:
		SPP_FILL(of_push_vlan, c->ethertype = rte_cpu_to_be_16((uint16_t)value));
	case RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID:
		SPP_FILL(of_set_vlan_vid, c->vlan_vid = rte_cpu_to_be_16((uint16_t)value));
	case RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP:
		SPP_FILL(of_set_vlan_pcp, c->vlan_pcp = (uint8_t)value);
	default:
		return -1;
	}
}

#define SPP_TYPE(kind, name) if (strcmp(word, #name) == 0) return RTE_FLOW_##kind##_TYPE_##name

int spp_flow_check_item_type(const char *word)
{
	SPP_TYPE(ITEM, END);
	SPP_TYPE(ITEM, ETH);
	SPP_TYPE(ITEM, VLAN);
	return -1;
}

int spp_flow_check_action_type(const char *word)
{
	SPP_TYPE(ACTION, END);
	SPP_TYPE(ACTION, JUMP);
	SPP_TYPE(ACTION, QUEUE);
	SPP_TYPE(ACTION, OF_POP_VLAN);
	SPP_TYPE(ACTION, OF_PUSH_VLAN);
	SPP_TYPE(ACTION, OF_SET_VLAN_VID);
	SPP_TYPE(ACTION, OF_SET_VLAN_PCP);
	return -1;
}
