/** X25519: the 32-byte shared secret of two 32-byte keys. Throws on wrong lengths and on a public key of low order. */
export declare function sharedKey(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array

/** XEdDSA: the 64-byte signature of `msg`; deterministic unless 64 random bytes are given. Throws on wrong lengths. */
export declare function sign(secretKey: Uint8Array, msg: Uint8Array, opt_random?: Uint8Array | null): Uint8Array

/** The signature followed by a copy of `msg`. */
export declare function signMessage(secretKey: Uint8Array, msg: Uint8Array, opt_random?: Uint8Array | null): Uint8Array

/** True for a good signature; throws an Error for a bad one, for a public key nobody can own, and on wrong lengths. */
export declare function verify(publicKey: Uint8Array, msg: Uint8Array, signature: Uint8Array): true

/** The message of a signed message, or null if its signature is bad. Does not change its argument. */
export declare function openMessage(publicKey: Uint8Array, signedMsg: Uint8Array): Uint8Array | null

/** The key pair of a 32-byte random seed; `private` is the seed clamped as RFC 7748 section 5 says. */
export declare function generateKeyPair(seed: Uint8Array): { public: Uint8Array; private: Uint8Array }

declare const _default: Record<string, never>
export default _default
