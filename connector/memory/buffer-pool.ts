/**
 * Small buffers live in slabs that Node cuts them from, 64 KiB each. A slab stays for as long as one buffer in it does, and each
 * connection keeps some for life (keys, the rest of a frame) beside thousands that are gone at once: at the default, such a slab
 * for every second connection. In small slabs what lasts pins little else.
 */
Buffer.poolSize = 1_024

export {}
