/**
 * What a phone sends a newly linked device before anything else: keys for app-state sync, and the first part of the
 * history. There are no chats in it, but the LID of every number that the phone has written with, which is where a client
 * that never asks learns them from.
 */

import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { proto } from '@whiskeysockets/baileys'
import type { Account } from './directory.ts'
import { formatJid } from './jids.ts'

const KEY_ID_BYTES = 6
const KEY_BYTES = 32

export function firstMessages(contacts: readonly Account[], nowMs: number): proto.IMessage[] {
  const { APP_STATE_SYNC_KEY_SHARE, HISTORY_SYNC_NOTIFICATION } = proto.Message.ProtocolMessage.Type
  const appStateSyncKeyShare = {
    keys: [
      {
        keyId: { keyId: randomBytes(KEY_ID_BYTES) },
        keyData: {
          keyData: randomBytes(KEY_BYTES),
          fingerprint: { rawId: 1, currentIndex: 0, deviceIndexes: [0] },
          timestamp: nowMs,
        },
      },
    ],
  }
  const historySyncNotification = {
    syncType: proto.Message.HistorySyncType.INITIAL_BOOTSTRAP,
    chunkOrder: 1,
    progress: 100,
    initialHistBootstrapInlinePayload: deflateSync(historyOf(contacts)),
  }
  return [
    { protocolMessage: { type: APP_STATE_SYNC_KEY_SHARE, appStateSyncKeyShare } },
    { protocolMessage: { type: HISTORY_SYNC_NOTIFICATION, historySyncNotification } },
  ]
}

function historyOf(contacts: readonly Account[]): Uint8Array {
  return proto.HistorySync.encode({
    syncType: proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP,
    chunkOrder: 1,
    progress: 100,
    conversations: [],
    pushnames: contacts.map(({ phoneNumber, phone }) => ({
      id: formatJid(phoneNumber, 's.whatsapp.net'),
      pushname: phone.settings.name || phoneNumber,
    })),
    phoneNumberToLidMappings: contacts.map(({ phoneNumber, lid }) => ({
      pnJid: formatJid(phoneNumber, 's.whatsapp.net'),
      lidJid: formatJid(lid, 'lid'),
    })),
  }).finish()
}
