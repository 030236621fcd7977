const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY = 86_400_000;

/** Python's `datetime.strftime` in the C locale, of a time without zone, with glibc's flags `-`, `_`, `0`, `^` and `#`. What it does not know stays as it is. */
export function strftime(time: Date, format: string): string {
  return format.replace(/%([-_0^#]?)([a-zA-Z%])/g, (whole, flag: string, letter: string) => {
    const value = field(time, letter);
    return value === undefined ? whole : flagged(value, flag, letter);
  });
}

function flagged(value: string, flag: string, letter: string): string {
  const digits = /^[ 0]*(?=\d)/;
  if (flag === '-') return value.replace(digits, '');
  if (flag === '_') return value.replace(digits, (zeros) => ' '.repeat(zeros.length));
  if (flag === '0') return value.replace(digits, (spaces) => '0'.repeat(spaces.length));
  if (flag === '^') return value.toUpperCase();
  if (flag === '#') return letter === 'p' ? value.toLowerCase() : value.toUpperCase();
  return value;
}

function field(time: Date, letter: string): string | undefined {
  const pad = (value: number, width = 2) => String(value).padStart(width, '0');
  const [year, month, day, hour] = [time.getFullYear(), time.getMonth(), time.getDate(), time.getHours()];
  const weekday = time.getDay();
  const dayOfYear = Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / DAY);
  const all = (format: string) => strftime(time, format);
  switch (letter) {
    case 'Y':
      return String(year);
    case 'C':
      return pad(Math.floor(year / 100));
    case 'y':
      return pad(year % 100);
    case 'm':
      return pad(month + 1);
    case 'B':
      return MONTHS[month];
    case 'b':
    case 'h':
      return MONTHS[month]?.slice(0, 3);
    case 'd':
      return pad(day);
    case 'e':
      return String(day).padStart(2, ' ');
    case 'j':
      return pad(dayOfYear + 1, 3);
    case 'A':
      return DAYS[weekday];
    case 'a':
      return DAYS[weekday]?.slice(0, 3);
    case 'w':
      return String(weekday);
    case 'u':
      return String(weekday === 0 ? 7 : weekday);
    case 'H':
      return pad(hour);
    case 'k':
      return String(hour).padStart(2, ' ');
    case 'I':
      return pad(hour % 12 === 0 ? 12 : hour % 12);
    case 'l':
      return String(hour % 12 === 0 ? 12 : hour % 12).padStart(2, ' ');
    case 'M':
      return pad(time.getMinutes());
    case 'S':
      return pad(time.getSeconds());
    case 'f':
      return pad(time.getMilliseconds() * 1000, 6);
    case 'p':
      return hour < 12 ? 'AM' : 'PM';
    case 'P':
      return hour < 12 ? 'am' : 'pm';
    case 'U':
      return pad(Math.floor((dayOfYear + 7 - weekday) / 7));
    case 'W':
      return pad(Math.floor((dayOfYear + 7 - ((weekday + 6) % 7)) / 7));
    case 'V':
      return pad(isoWeek(time).week);
    case 'G':
      return String(isoWeek(time).year);
    case 'c':
      return all('%a %b %e %H:%M:%S %Y');
    case 'D':
    case 'x':
      return all('%m/%d/%y');
    case 'F':
      return all('%Y-%m-%d');
    case 'T':
    case 'X':
      return all('%H:%M:%S');
    case 'R':
      return all('%H:%M');
    case 'r':
      return all('%I:%M:%S %p');
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'z':
    case 'Z':
      return '';
    case '%':
      return '%';
    default:
      return undefined;
  }
}

/** Weeks begin on Monday; the first is the one with the year's first Thursday (ISO 8601). */
function isoWeek(time: Date): { readonly year: number; readonly week: number } {
  const thursday = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate() - ((time.getDay() + 6) % 7) + 3);
  const year = new Date(thursday).getUTCFullYear();
  return { year, week: Math.floor((thursday - Date.UTC(year, 0, 1)) / DAY / 7) + 1 };
}
