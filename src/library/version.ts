/** The engine's version, as score files and exports record it; equal to package.json's (a test checks). */
export const VERSION = '0.2.0';
