import { DeviceError } from '../../errors.ts';

/** Dots per CSS pixel of a picture that is taken away: sharp in print at the size of the page. */
const DOTS = 2;

/** An SVG file as a PNG. Throws DeviceError where the browser cannot draw it. */
export async function pngFile(svg: Blob): Promise<Blob> {
  const url = URL.createObjectURL(svg);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth * DOTS, image.naturalHeight * DOTS);
    const context = canvas.getContext('2d');
    if (!context) throw new DeviceError('This browser offers no canvas to draw the charts on. Take the SVG instead.');
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: 'image/png' });
  } finally {
    URL.revokeObjectURL(url);
  }
}
