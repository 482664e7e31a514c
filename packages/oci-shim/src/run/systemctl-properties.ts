/** What `systemctl show` prints of a unit, by name. A property that is there several times has its values joined by newlines. */
export type Properties = ReadonlyMap<string, string>

/** Reads the output of `systemctl show`. */
export function parseProperties(text: string): Properties {
  const properties = new Map<string, string>()
  for (const [, name, value] of text.matchAll(/^(\w+)=(.*)$/gm)) {
    const before = properties.get(name!)
    properties.set(name!, before === undefined ? value! : `${before}\n${value!}`)
  }
  return properties
}
