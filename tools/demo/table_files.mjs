// The data files of a source's current state, found by icebird, an Iceberg reader that has nothing to
// do with Quarry: files that compaction has replaced stay beside them for a while, for time travel.
//   node tools/demo/table_files.mjs SOURCE_FOLDER     prints their paths as a JSON list
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { icebergManifests } from 'icebird'

const prefix = 'file://'

// icebird fetches; the table's URIs hold paths as they are, without any encoding.
globalThis.fetch = async (url, init) => {
  const bytes = readFileSync(String(url).slice(prefix.length))
  const headers = new Headers(init?.headers)
  const range = /bytes=(\d+)-(\d+)?/.exec(headers.get('Range') ?? '')
  if (init?.method === 'HEAD')
    return new Response(null, { headers: { 'Content-Length': String(bytes.length) } })
  if (!range) return new Response(bytes)
  const end = range[2] === undefined ? bytes.length : Number(range[2]) + 1
  return new Response(bytes.subarray(Number(range[1]), end), { status: 206 })
}

export async function tableFiles(folder) {
  const hint = readFileSync(join(folder, 'metadata/version-hint.text'), 'utf8')
  const metadata = JSON.parse(readFileSync(join(folder, 'metadata', `${hint}.metadata.json`), 'utf8'))
  const manifests = await icebergManifests(metadata)
  return manifests.flatMap(manifest => manifest.entries)
    .filter(entry => entry.status !== 2 && (entry.data_file.content ?? 0) === 0)
    .map(entry => join(folder, entry.data_file.file_path.slice(metadata.location.length)))
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href)
  console.log(JSON.stringify(await tableFiles(process.argv[2])))
