/* SPDX-License-Identifier: MIT */
/*
 * Credentials. The helper is a thread that glibc does not know, so its setuid would leave a root thread behind in a server that has dropped
 * its privileges. It ends before each change, and what follows it has the caller's new ones.
 */
#include <grp.h>
#include <unistd.h>

#include "shim.h"

#define AS_ONE(call)                              \
	struct la_alone alone = la_alone_begin(); \
	int result = (call);                      \
	la_alone_end(alone);                      \
	return result

LA_EXPORT int setuid(uid_t uid)
{
	AS_ONE(la_real.setuid(uid));
}

LA_EXPORT int seteuid(uid_t uid)
{
	AS_ONE(la_real.seteuid(uid));
}

LA_EXPORT int setreuid(uid_t real, uid_t effective)
{
	AS_ONE(la_real.setreuid(real, effective));
}

LA_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved_uid)
{
	AS_ONE(la_real.setresuid(real, effective, saved_uid));
}

LA_EXPORT int setgid(gid_t gid)
{
	AS_ONE(la_real.setgid(gid));
}

LA_EXPORT int setegid(gid_t gid)
{
	AS_ONE(la_real.setegid(gid));
}

LA_EXPORT int setregid(gid_t real, gid_t effective)
{
	AS_ONE(la_real.setregid(real, effective));
}

LA_EXPORT int setresgid(gid_t real, gid_t effective, gid_t saved_gid)
{
	AS_ONE(la_real.setresgid(real, effective, saved_gid));
}

LA_EXPORT int setgroups(size_t count, const gid_t *list)
{
	AS_ONE(la_real.setgroups(count, list));
}

LA_EXPORT int initgroups(const char *user, gid_t group)
{
	AS_ONE(la_real.initgroups(user, group));
}

LA_EXPORT int capset(void *header, const void *data)
{
	AS_ONE(la_real.capset(header, data));
}
