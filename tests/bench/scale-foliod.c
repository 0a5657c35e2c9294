/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod as it is, for agent-scale, but for three things: guests share their memory (scale-memory),
 * samples are made up (scale-source), and libvirt's test driver, whose domains are of the type
 * "test", is believed to run them by KVM. SCALE_SPLIT: see scale_memory_install. */
#include "scale-memory.h"

#include <libvirt/libvirt.h>
#include <string.h>

static void install(void) __attribute__((constructor));

char *__real_virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags);
char *__wrap_virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags);

char *
__wrap_virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags)
{
    char *xml = __real_virDomainGetXMLDesc(domain, flags);
    char *type = xml != NULL ? strstr(xml, "<domain type='test'") : NULL;

    if (type != NULL)
        memcpy(type, "<domain type='kvm' ", strlen("<domain type='test'"));
    return xml;
}

/* The main function is that of agent/main.c. */
static void
install(void)
{
    const char *n_split = g_getenv("SCALE_SPLIT");

    scale_memory_install(n_split != NULL ? (guint) g_ascii_strtoull(n_split, NULL, 10) : 0);
}
