/** Parts of libsignal that it ships without types. */
declare module 'libsignal/src/protobufs.js' {
  export const PreKeyWhisperMessage: {
    decode(bytes: Uint8Array): { readonly identityKey?: Uint8Array }
  }
}
