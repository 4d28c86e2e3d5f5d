/* port_range.h - "20000-20100", the value of cluster.ports. */
#ifndef SMELTER_PORT_RANGE_H
#define SMELTER_PORT_RANGE_H

typedef struct port_range {
    int first, last; /* 0, 0: any that are free */
} port_range_t;

/* port_range_parse - "" is any. Returns NULL, or why the text is no range, a static text; then *out is any. */
const char *port_range_parse(const char *text, port_range_t *out);

#endif
