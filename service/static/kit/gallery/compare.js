/** What /demo/compare says of a photo, asked for once. */

const answers = new WeakMap();

/** The thumbnail's own pixels (RGBA), the other formats' candidates, and a note. */
export function compared(photo) {
  if (!answers.has(photo)) {
    answers.set(
      photo,
      ask(photo).catch((error) => {
        answers.delete(photo);
        throw error;
      }),
    );
  }
  return answers.get(photo);
}

async function ask({ file }) {
  const answer = await fetch("demo/compare", { method: "POST", body: file });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return { reference: await pixelsOf(said.reference), formats: said.formats, note: said.note };
}

async function pixelsOf(png) {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(32, 32);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, 32, 32).data;
}
