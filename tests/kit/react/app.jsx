/** What a server renders and a page hydrates. */

import { Thumbnail } from "prefixel/react";

export function App({ stream, told }) {
  const tell = (kind) => (event) => told?.push({ kind, detail: event.detail, message: event.message });
  const ref = (element) => element && told?.push({ kind: "ref", name: element.localName });
  return (
    <main>
      <Thumbnail
        ref={ref}
        stream={stream}
        alt="A photo"
        className="thumbnail"
        onPaint={tell("paint")}
        onLoad={tell("load")}
        onError={tell("error")}
        image="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
      />
      <Thumbnail stream="!!" alt="No photo" width={300} height={200} onError={tell("refused")}>
        <noscript>
          <img alt="No photo" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" />
        </noscript>
      </Thumbnail>
    </main>
  );
}
