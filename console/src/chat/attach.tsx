export interface AttachProps {
  readonly file: File | undefined
  /** Share of its bytes that has left, from 0 to 1; undefined before and after. */
  readonly uploaded: number | undefined
  readonly onChosen: (file: File | undefined) => void
}

/** A file to send, and how far its upload is. */
export function Attach({ file, uploaded, onChosen }: AttachProps) {
  return (
    <>
      <label>
        {file === undefined ? 'File' : `File: ${file.name}`}
        <input
          type="file"
          required={file === undefined}
          disabled={uploaded !== undefined}
          onChange={(event) => onChosen(event.target.files?.[0])}
        />
      </label>
      {uploaded !== undefined && (
        <div className="upload" role="status">
          <progress aria-label="Upload" max={1} value={uploaded} />
          <span className="hint">{Math.round(uploaded * 100)} %</span>
        </div>
      )}
    </>
  )
}
