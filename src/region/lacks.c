/* SPDX-License-Identifier: MIT */
/*
 * What may be lacking, in words: for the log and the command.
 */
#include <lastack/region.h>

static const struct {
	const char *name, *meaning;
} lacks[LA_LACK_COUNT] = {
	[LA_LACK_REGION] = {"tracking", "no memory or descriptor for a region: connections are not "
					"followed until there is"},
	[LA_LACK_FILE] = {"region-file",
		"no folder of its own user, mode 0700, with room for the region (LASTACK_DIR): "
		"lastack list and report do not see this process"},
	[LA_LACK_RECORDS] = {"records",
		"the region or its file system is full: further connections are not followed"},
	[LA_LACK_PROCESSES] = {"processes",
		"more processes than a region has entries for: what they hold counts as shared, "
		"and no policy ends it"},
	[LA_LACK_TABLES] = {"threads",
		"no room for a thread's table: what it does is followed, but not counted"},
	[LA_LACK_STACKS] = {"stacks",
		"no room for call stacks: some connections will not say where they were opened"},
	[LA_LACK_NUMBERS] = {"numbers",
		"no memory for a table of descriptors: connections there are not followed"},
	[LA_LACK_HELPER] = {"helper",
		"no thread can be started: nothing is bounded, closes are plain, until one can"},
	[LA_LACK_BOUNDS] = {"bounds", "no memory to watch connections in: no state is bounded"},
	[LA_LACK_LOG] = {"log",
		"lines of the log could not be written: the next one says how many"},
	[LA_LACK_RULES] = {"rules", "no room in the region to count by rule what a policy does: it "
				    "is done all the same"},
};

const char *la_lack_name(enum la_lack lack)
{
	return lack < LA_LACK_COUNT ? lacks[lack].name : "?";
}

const char *la_lack_meaning(enum la_lack lack)
{
	return lack < LA_LACK_COUNT ? lacks[lack].meaning : "?";
}
