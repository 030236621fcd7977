/** What stands above the map's rows, in pixels. */
export const HEADS = 22;
/** Height of a row in pixels where the page flows. */
export const FLOWING_ROWS = 34;
