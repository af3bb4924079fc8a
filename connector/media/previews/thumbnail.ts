import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import sharp from 'sharp'

/** What shows on a phone, blurred, until the image itself is there; it travels in the message, once for each device. */
const sidePixels = 72
const quality = 50
/** Above, an image has no preview: decoding takes memory by its pixels, however few bytes they came in. */
const pixelsMax = 50_000_000
const timeoutSeconds = 10

// Of the formats that libvips reads, only those that WhatsApp's images have.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng'] })
sharp.cache(false)
sharp.concurrency(1)

export interface Thumbnail {
  /** JPEG. */
  readonly thumbnail: Buffer
  /** Pixels of the image itself, as it is shown. */
  readonly width: number
  readonly height: number
}

/** Throws where it is no image, or too large a one. */
export async function thumbnailOf(source: AsyncIterable<Uint8Array>): Promise<Thumbnail> {
  const image = sharp({ limitInputPixels: pixelsMax, failOn: 'error' })
  await pipeline(Readable.from(source), image)
  const { autoOrient } = await image.metadata()
  const thumbnail = await image
    .autoOrient()
    .resize(sidePixels, sidePixels, { fit: 'inside', withoutEnlargement: true })
    // Transparency would be black.
    .flatten({ background: '#ffffff' })
    .jpeg({ quality })
    .timeout({ seconds: timeoutSeconds })
    .toBuffer()
  return { thumbnail, ...autoOrient }
}
