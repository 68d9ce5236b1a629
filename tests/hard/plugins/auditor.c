/* SPDX-License-Identifier: MIT */
/* An auditor (LD_AUDIT) that wants to hear of every binding. */
#include <link.h>

unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
	(void)map;
	(void)space;
	(void)cookie;
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

unsigned int la_version(unsigned int version)
{
	return version;
}
